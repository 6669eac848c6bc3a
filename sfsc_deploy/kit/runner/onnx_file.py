"""ONNX files, and those of ONNX Runtime's own format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.runner.missing import missing
from sfsc_deploy.kit.runner.running import Running

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FATAL = 4


class OnnxFile(Running):
    """A file that ONNX Runtime runs.

    Args:
        path: the file.
        providers: execution providers, first choice first.

    Raises:
        Missing: ONNX Runtime can't be imported.
        SfscError: it lacks a provider or falls back to another, or refuses the file.
    """

    def __init__(self, path: Path, providers: Sequence[str]) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError as error:
            raise missing("ONNX Runtime", error, "onnxruntime") from None
        offered = onnxruntime.get_available_providers()
        if not set(providers) <= set(offered):
            raise SfscError("ONNX Runtime has no such provider here.", f"Choose among: {', '.join(offered)}.")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL
        options.use_deterministic_compute = True
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
        except Exception as error:  # the types of ONNX Runtime have no base of their own
            raise SfscError(f"ONNX Runtime refuses it: {str(error)[:240]}") from error
        self._session.disable_fallback()  # to another provider, when a batch fails
        runs = self._session.get_providers()[0]
        if runs != providers[0]:
            raise SfscError(
                f"{providers[0]} can't start here: ONNX Runtime fell back to {runs}.",
                f"Install what {providers[0]} needs, or run it with --providers {runs}.",
            )
        self._input, self._output = self._session.get_inputs()[0].name, self._session.get_outputs()[0].name
        self.backend = f"onnxruntime {onnxruntime.__version__}, {runs}"
        self.versions = {"onnxruntime": onnxruntime.__version__}

    def call(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Running.call`."""
        rows: NDArray[np.float32] = self._session.run([self._output], {self._input: images})[0]
        return rows
