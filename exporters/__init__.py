"""Exporters: a plain torch module and a request in, one model file and the facts about it out.

This package knows nothing of supernets, profiles or sidecars. Importing it imports neither torch nor onnx.
"""

from exporters.errors import ExportError, FormatUnavailable
from exporters.formats import FORMATS, export
from exporters.request import CoremlTarget, ExportRequest, ExportResult, TensorrtTarget

__all__ = [
    "FORMATS",
    "CoremlTarget",
    "ExportError",
    "ExportRequest",
    "ExportResult",
    "FormatUnavailable",
    "TensorrtTarget",
    "export",
]
