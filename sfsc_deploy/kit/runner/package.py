"""CoreML packages, on a Mac. Written from coremltools' documentation; not run on one."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.runner.missing import missing
from sfsc_deploy.kit.runner.running import Running

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Package(Running):
    """A package loaded by Core ML, which takes one image at a time.

    Args:
        path: the package.
        sidecar: its record.
        compute_units: in the words of coremltools, as `CPU_AND_NE`; None: those of its profile.

    Raises:
        Missing: coremltools or Pillow can't be imported.
        SfscError: this is no Mac, or Core ML refuses the package.
    """

    def __init__(self, path: Path, sidecar: Mapping[str, Any], compute_units: str | None) -> None:
        super().__init__()
        if platform.system() != "Darwin":
            raise SfscError("Only a Mac runs CoreML packages.", "Run the kit on a Mac.")
        try:
            import coremltools
            from PIL import Image
        except ImportError as error:
            raise missing("coremltools with Pillow", error, "coremltools", "pillow") from None
        units = compute_units or str((sidecar["profile"].get("coreml") or {}).get("compute_units", "ALL"))
        known = coremltools.ComputeUnit.__members__
        if units not in known:
            raise SfscError(f"There are no compute units {units!r}.", f"Choose among: {', '.join(known)}.")
        self._picture = Image.fromarray
        self._names = str(sidecar["input"]["name"]), str(sidecar["output"]["name"])
        self._model = _load(coremltools, path, known[units])
        self.backend = f"Core ML of macOS {platform.mac_ver()[0]}, compute units {units}"
        self.versions = {"coremltools": coremltools.__version__}

    def call(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Running.call`."""
        image, embedding = self._names
        given = (self._model.predict({image: self._picture(each)})[embedding] for each in images)
        return np.stack([np.asarray(row, np.float32).reshape(-1) for row in given])


def _load(coremltools: Any, path: Path, units: Any) -> Any:
    try:
        with warnings.catch_warnings():
            # coremltools only warns of a model that Core ML refused.
            warnings.simplefilter("error", RuntimeWarning)
            return coremltools.models.MLModel(str(path), compute_units=units)
    except Exception as error:  # coremltools hands on whatever Core ML says
        raise SfscError(f"Core ML refuses it: {str(error)[:240]}") from error
