"""CoreML packages: run by Core ML on a Mac, elsewhere by the reference executor."""

import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.artifact import Description, read_embedded, read_sidecar, sidecar_path
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.coreml_package import CoremlPackage, read_package
from sfsc_deploy.runtime.embedder import MAX_BATCH, Embedder

_ALL_UNITS = "ALL"


class Predictor(Protocol):
    """What runs a package; `backend` is its name and version."""

    backend: str

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed one image, uint8 [H, W, 3], to float32 [D]."""


class CoremlEmbedder(Embedder):
    """A CoreML package, which takes one image at a time.

    Attributes:
        spec: what the package declares, `coremltools.proto.Model_pb2.Model`, for verification to judge.
    """

    def __init__(self, path: Path, *, compute_units: str | None = None, max_batch: int = MAX_BATCH) -> None:
        """Load the package and, where there is one, its sidecar.

        Args:
            path: the package.
            compute_units: of a Mac, in the words of coremltools: `ALL`, `CPU_ONLY`, `CPU_AND_GPU` or `CPU_AND_NE`;
                None: those of the package's profile.
            max_batch: most images that are embedded in one go, one after the other.

        Raises:
            SfscError: the package is not readable or not usable at all, or there are no such compute units here.
            ModuleNotFoundError: coremltools, or torch for the reference executor, isn't installed.
        """
        package = read_package(path)
        declared = package.spec.description
        if not (declared.input and declared.output):
            raise SfscError(f"{path} has no input or no output.", "Export it anew.")
        self.spec = package.spec
        self.metadata = package.metadata
        sidecar = read_sidecar(path) if sidecar_path(path).exists() else None
        known = sidecar or read_embedded(self.metadata, path)
        self._predictor: Predictor | None = _predictor(package, compute_units, known)
        super().__init__(
            str(path),
            backend=self._predictor.backend,
            dim=_dim(package, known),
            space=known.space if known else None,
            preprocessing=known.input.preprocessing if known else None,
            sidecar=sidecar,
            size=_size(declared.input[0]),
            max_batch=max_batch,
            one_by_one=True,
        )

    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self._predictor is not None
        return np.stack([self._predictor.predict(image) for image in images])

    def _release(self) -> None:
        self._predictor = None


def _predictor(package: CoremlPackage, compute_units: str | None, known: Description | None) -> Predictor:
    if sys.platform == "darwin":
        from sfsc_deploy.runtime.core_ml import CoreMl

        return CoreMl(package, compute_units or _units_of(known))
    if compute_units is not None:
        raise SfscError(
            f"{package.path} can't be run on compute units {compute_units} here: only a Mac has them.",
            "Leave them out: the reference executor runs it.",
        )
    from sfsc_deploy.runtime.mil_executor.predictor import ReferenceExecutor

    return ReferenceExecutor(package)


def _units_of(known: Description | None) -> str:
    table = known.profile.get("coreml") if known else None
    return str(table.get("compute_units", _ALL_UNITS)) if isinstance(table, dict) else _ALL_UNITS


def _dim(package: CoremlPackage, known: Description | None) -> int:
    shape = package.spec.description.output[0].type.multiArrayType.shape
    if shape:
        return int(shape[-1])
    if known is None:
        raise SfscError(f"{package.path} does not state the dimension of its embedding.", "Export it anew.")
    return known.dim


def _size(feature: Any) -> tuple[int, int] | None:
    if feature.type.WhichOneof("Type") != "imageType":
        return None
    return feature.type.imageType.height, feature.type.imageType.width
