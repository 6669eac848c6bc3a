"""The reference executor as what runs a package: an image in, its embedding out."""

import numpy as np
import torch
from numpy.typing import NDArray

from sfsc_deploy.runtime.coreml_package import CoremlPackage
from sfsc_deploy.runtime.mil_executor.executor import Executor
from sfsc_deploy.runtime.mil_executor.loading import load_program


class ReferenceExecutor:
    """A package whose first input is an image.

    Args:
        package: its program and weights are read.
        all_float32: leave out the rounding to float16.

    Raises:
        SfscError: the program can't be read, or has operations that aren't known.
    """

    backend = f"reference executor (checks the conversion, not Apple's kernels), torch {torch.__version__}"

    def __init__(self, package: CoremlPackage, *, all_float32: bool = False) -> None:
        self._executor = Executor(load_program(package), str(package.path), all_float32=all_float32)
        image = package.spec.description.input[0]
        self._input = image.name
        self._output = package.spec.description.output[0].name
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
