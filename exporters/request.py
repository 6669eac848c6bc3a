"""What an exporter is asked for, and what it gives back: plain facts, no heavy import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from exporters.errors import ExportError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PRECISIONS = ("float32", "float16", "int8")
Status = Literal["built", "to be built on the device"]


@dataclass(frozen=True)
class TensorrtTarget:
    """The device that a TensorRT engine is meant for: engines belong to one device and one version.

    Attributes:
        compute_capability: of its GPU, as `8.7`.
        version: the TensorRT versions that it may have, as `10.3` or `>=10.3,<11`.
        workspace_mb: memory in MiB that the builder may use for a layer's scratch space.
    """

    compute_capability: str
    version: str
    workspace_mb: int

    def __post_init__(self) -> None:
        if self.workspace_mb < 1:
            raise ExportError(f"A TensorRT workspace of {self.workspace_mb} MiB was asked for, at least 1 is needed.")


@dataclass(frozen=True)
class CoremlTarget:
    """The system that a CoreML package is meant for.

    Attributes:
        minimum_deployment_target: the oldest system that it must run on, in the words of coremltools, as `iOS16`.
    """

    minimum_deployment_target: str


@dataclass(frozen=True)
class ExportRequest:
    """One model for one device.

    Attributes:
        height: of the images in pixels.
        width: of the images in pixels.
        mean: of each colour R, G, B, in units of 0 to 1; subtracted inside the graph.
        std: of each colour R, G, B, in units of 0 to 1; divided by inside the graph.
        dim: D of the embedding `[N, D]`.
        precision: in which the layers compute, one of `PRECISIONS`.
        calibration: images as the device will see them, uint8 `[N, height, width, 3]`: they tell int8 its ranges.
        spared: layers that int8 leaves alone, by the names of their weights as `precision_per_layer` tells them.
        batch: smallest, most common and largest N. ONNX keeps N open whatever they are; TensorRT is built for them;
            CoreML takes one image at a time.
        metadata: text written into the file under these keys.
        tensorrt: the device of a TensorRT engine, for that format only.
        coreml: the system of a CoreML package, for that format only.

    Raises:
        ExportError: a value that no exporter could honour.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int
    precision: str = "float32"
    calibration: "NDArray[np.uint8] | None" = field(default=None, compare=False, repr=False)
    spared: tuple[str, ...] = ()
    batch: tuple[int, int, int] = (1, 8, 32)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tensorrt: TensorrtTarget | None = None
    coreml: CoremlTarget | None = None

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.dim) < 1:
            raise ExportError(
                f"Images of {self.height} x {self.width} and an embedding of {self.dim} were asked for, "
                "each must be at least 1."
            )
        if min(self.std) <= 0:
            raise ExportError(f"A standard deviation of {self.std} was given, each colour's must be above 0.")
        self._check_precision()
        self._check_calibration()
        self._check_batch()

    def _check_precision(self) -> None:
        if self.precision not in PRECISIONS:
            raise ExportError(
                f"Precision {self.precision!r} was asked for, this version writes {', '.join(PRECISIONS)}.",
                "Choose one of them with --precision.",
            )

    def _check_calibration(self) -> None:
        if self.calibration is None:
            return
        dtype, shape = self.calibration.dtype.name, self.calibration.shape
        if dtype != "uint8" or len(shape) != 4 or shape[1:] != (self.height, self.width, 3) or not shape[0]:
            raise ExportError(
                f"Calibration images are {dtype} {list(shape)}, expected uint8 [N, {self.height}, {self.width}, 3].",
                "Preprocess them as the model's own images: int8 is right for what it was calibrated with alone.",
            )

    def _check_batch(self) -> None:
        smallest, common, largest = self.batch
        if not 1 <= smallest <= common <= largest:
            raise ExportError(
                f"A batch of min {smallest}, opt {common}, max {largest} was asked for, "
                "expected 1 <= min <= opt <= max.",
                "Mend the profile's [batch] table.",
            )


@dataclass(frozen=True)
class ExportResult:
    """What was written, and the facts about it.

    Attributes:
        files: the model itself first, then what travels with it.
        format: the key in `exporters.formats.FORMATS`.
        precision: read back from the file, not copied from the request.
        precision_per_layer: read back as well, by the names of their weights; None where all layers have the same.
        calibrated: number of images that int8 was calibrated with.
        parameters: weights and biases that the file holds, batch norms folded.
        multiply_adds: of the convolutions and matrix products, for one image.
        tools: name and version of what wrote the file.
        status: whether the file runs as it is.
        command: what completes it on the device, where it doesn't.
    """

    files: tuple[Path, ...]
    format: str
    precision: str
    parameters: int
    multiply_adds: int
    tools: Mapping[str, str]
    precision_per_layer: Mapping[str, str] | None = None
    calibrated: int = 0
    status: Status = "built"
    command: str | None = None
