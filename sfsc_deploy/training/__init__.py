"""One training run, from images on disk to a finished run folder. Importing this package imports nothing heavy."""

from sfsc_deploy.training.request import Listener, Plan, Progress, TrainRequest

__all__ = ["Listener", "Plan", "Progress", "TrainRequest"]
