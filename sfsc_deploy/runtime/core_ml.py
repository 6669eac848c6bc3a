"""Core ML itself, on a Mac.

Written from coremltools' documentation, and tried with a stand-in for its model: no Mac was at hand.
"""

import platform
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from exporters.quiet_coreml import load_coremltools
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.coreml_package import CoremlPackage, reason


class CoreMl:
    """A package loaded by Core ML.

    Args:
        package: what to load.
        compute_units: in the words of coremltools, as `CPU_AND_NE`.

    Raises:
        SfscError: unknown compute units, or Core ML can't load the package.
    """

    def __init__(self, package: CoremlPackage, compute_units: str) -> None:
        self._name = str(package.path)
        self._input = package.spec.description.input[0].name
        self._output = package.spec.description.output[0].name
        self._model = _load(package, compute_units)
        self.backend = f"Core ML of macOS {platform.mac_ver()[0]}, compute units {compute_units}"

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed one image, uint8 [H, W, 3], to float32 [D]."""
        try:
            given = self._model.predict({self._input: Image.fromarray(image)})
            return np.asarray(given[self._output], np.float32).reshape(-1)
        except Exception as error:  # coremltools hands on whatever Core ML says
            raise SfscError(f"{self._name} failed in Core ML: {reason(error)}", "Export it anew.") from error


def _load(package: CoremlPackage, compute_units: str) -> Any:
    tools = load_coremltools()
    known = tools.ComputeUnit.__members__
    if compute_units not in known:
        raise SfscError(f"There are no compute units {compute_units!r}.", f"Choose among: {', '.join(known)}.")
    try:
        with warnings.catch_warnings():
            # coremltools only warns of a model that Core ML refused.
            warnings.simplefilter("error", RuntimeWarning)
            return tools.models.MLModel(str(package.path), compute_units=known[compute_units])
    except Exception as error:  # coremltools hands on whatever Core ML says
        raise SfscError(f"Core ML cannot load {package.path}: {reason(error)}", "Copy or export it anew.") from error
