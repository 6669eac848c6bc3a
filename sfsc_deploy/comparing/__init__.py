"""Methods compared on the user's own images, under one budget. Importing this package imports nothing heavy."""

from sfsc_deploy.comparing.request import CONTENDERS, CompareRequest, Contender, Listener, contenders

__all__ = ["CONTENDERS", "CompareRequest", "Contender", "Listener", "contenders"]
