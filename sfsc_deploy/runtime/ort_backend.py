"""Models in ONNX Runtime's own format: the same session opens them, and tells the same of them.

It doesn't run through the optimiser again: the graph is the one that lies in the file.
"""

from sfsc_deploy.runtime.onnx_backend import open_artifact

__all__ = ["open_artifact"]
