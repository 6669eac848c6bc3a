"""The reference executor as what runs a package: an image in, its embedding out."""

import numpy as np
import torch
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.coreml_package import CoremlPackage
from sfsc_deploy.runtime.embedder import STAND_IN
from sfsc_deploy.runtime.mil_executor.executor import Executor, UnknownOperation
from sfsc_deploy.runtime.mil_executor.loading import load_program
from sfsc_deploy.runtime.unavailable import unavailable_package


class ReferenceExecutor:
    """A package whose first input is an image.

    Args:
        package: its program and weights are read.
        all_float32: leave out the rounding to float16.

    Raises:
        BackendUnavailable: the program has operations that aren't known.
        SfscError: the program can't be read, or isn't the one that the package declares.
    """

    backend = f"{STAND_IN} (checks the conversion, not Apple's kernels), torch {torch.__version__}"

    def __init__(self, package: CoremlPackage, *, all_float32: bool = False) -> None:
        program = load_program(package)
        try:
            self._executor = Executor(program, package.path.name, all_float32=all_float32)
        except UnknownOperation as error:
            raise unavailable_package(package.path, error.message) from error
        image = package.spec.description.input[0]
        self._input, self._output = image.name, package.spec.description.output[0].name
        if self._input not in self._executor.inputs or self._output not in self._executor.outputs:
            raise SfscError(
                f"{package.path} declares `{self._input}` and `{self._output}`, which its program doesn't have.",
                "Export it anew.",
            )
        kind = image.type.imageType
        self._reversed = kind.colorSpace == kind.ColorSpace.Value("BGR")

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed one image, uint8 [H, W, 3], to float32 [D].

        As Core ML does, the colours are handed over as planes, in the order that the package declares.
        """
        colours = image[..., ::-1] if self._reversed else image
        planes = torch.tensor(colours.transpose(2, 0, 1)[None].astype(np.float32))
        embedding: NDArray[np.float32] = self._executor.run({self._input: planes})[self._output].numpy()
        return embedding.reshape(-1)
