"""The sidecar of an artifact: what was exported, from what, in which space, and the hash of every part."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from exporters.formats import FORMATS
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of, write_text
from sfsc_deploy.formats import ARTIFACT_FORMATS
from sfsc_deploy.parsing import parse_json

EMBEDDED_KEY = "sfsc.sidecar"
"""Entry of the ONNX and CoreML metadata that holds the `Description` as JSON."""

BuildStatus = Literal["built", "to be built on the device"]


_LONGEST_NAME = 255  # bytes, on every system in use


def _plain_name(name: str) -> str:
    # A colon leads elsewhere on Windows.
    if name in {"", ".", ".."} or any(mark in name for mark in "/\\:\0"):
        raise ValueError(f"{name!r} must be the name of a file beside the sidecar, without a folder")
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"{name[:20]!r}... is too long for the name of a file")
    return name


def _known_format(name: str) -> str:
    if name not in ARTIFACT_FORMATS:
        raise ValueError(f"{name!r} is none of {', '.join(ARTIFACT_FORMATS)}")
    return name


Format = Annotated[str, AfterValidator(_known_format)]
FileName = Annotated[str, AfterValidator(_plain_name)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=-1.0001, le=1.0001)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputContract(_Part):
    """What the artifact takes: uint8 [N, H, W, 3], RGB; everything after the resize happens inside it."""

    name: str = "image"
    dtype: Literal["uint8"] = "uint8"
    layout: Literal["NHWC"] = "NHWC"
    color: Literal["RGB"] = "RGB"
    preprocessing: Preprocessing


class OutputContract(_Part):
    """What the artifact gives: float32 [N, D] of L2 norm 1."""

    name: str = "embedding"
    dtype: Literal["float32"] = "float32"
    dim: Annotated[int, Field(ge=1)]
    normalised: Literal[True] = True


class EngineDevice(_Part):
    """What a TensorRT engine was built on, which is what it runs on.

    Attributes:
        name: what the machine is called.
        gpu: as its driver calls it.
        compute_capability: of the GPU, as "8.7".
        tensorrt: version.
        cuda: the newest version that the driver knew.
        version_compatible: built to run with later versions of TensorRT too.
        hardware_compatible: built to run on other GPUs, from Ampere on, too.
    """

    name: str
    gpu: str
    compute_capability: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
    tensorrt: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)*")]
    cuda: str
    version_compatible: bool = False
    hardware_compatible: bool = False


class Build(_Part):
    """Whether the artifact exists already, and how it is built on its device.

    Attributes:
        status: of the artifact.
        command: what builds it there; None for what is built where it is exported.
        device: what it was built on, where it runs on nothing else.
        onnx_sha256: of the ONNX file that it was built from; None where there is none, or it wasn't recorded.
    """

    status: BuildStatus = "built"
    command: str | None = None
    device: EngineDevice | None = None
    onnx_sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _unbuilt_says_how(self) -> "Build":
        if self.status != "built" and not self.command:
            raise ValueError("what is to be built on the device needs its `command`")
        return self


class ProbeFile(_Part):
    """The probe that travels with the artifact."""

    file: FileName
    sha256: Sha256


class Fidelity(_Part):
    """Row-wise cosine to the reference on the probe, measured at export."""

    min_cosine: Cosine
    p1_cosine: Cosine
    median_cosine: Cosine
    images: Annotated[int, Field(ge=1)]


class Calibration(_Part):
    """The images whose activations gave int8 its ranges, or batch norms their statistics.

    Attributes:
        sha256: of their pixels as they were fed, and of the preprocessing.
        images: number of them.
        origin: what they were taken from.
    """

    sha256: Sha256
    images: Annotated[int, Field(ge=1)]
    origin: str


class CrossTested(_Part):
    """What a width that was not trained and one that was find of each other; mAP, 0 to 1.

    Attributes:
        width: the trained one.
        self_test: of it.
        as_query: queries embedded by the untrained width, gallery by the trained one.
        as_gallery: the other way round.
    """

    width: Annotated[float, Field(gt=0, le=1)]
    self_test: Share
    as_query: Share
    as_gallery: Share


class Untrained(_Part):
    """A width that was not trained: what was made of it, and what it is worth.

    Attributes:
        batch_norms: the images that its batch norms, and its alignment where there is one, were fitted to.
        aligned: whether its embedding was aligned, as the trained widths are.
        self_test: mAP, 0 to 1, on the probe, as of the float32 sub-model in torch.
        queries: of the probe, that count.
        trained: its cross-tests with every width that was trained, ascending.
    """

    batch_norms: Calibration
    aligned: bool = False
    self_test: Share
    queries: Annotated[int, Field(ge=1)]
    trained: Annotated[tuple[CrossTested, ...], Field(min_length=1)]


class Rung(_Part):
    """A precision that was tried on the way to the quickest one that keeps an artifact compatible.

    Attributes:
        precision: as read back from the file, e.g. "mixed (float32: 2, int8: 10)".
        passed: whether it was let through; only the last one is.
        why: the figures, or what stood against it.
    """

    precision: str
    passed: bool
    why: str


class Description(_Part):
    """What is known of an artifact before it is written; embedded into ONNX and CoreML files.

    Attributes:
        space: id of the embedding space, see `space_id`.
        run: name of the run that it was sliced from.
        width: width multiplier of the sub-model, in (0, 1].
        precision: of the numbers inside, e.g. "float16".
        dim: D of the embedding.
        profile: the device profile as it was resolved.
        calibration: what int8 was calibrated with, where it needs that.
        untrained: where the width was not trained.
    """

    schema_version: Literal[1] = 1
    space: Sha256
    run: str
    width: Annotated[float, Field(gt=0, le=1)]
    format: Format
    precision: str
    dim: Annotated[int, Field(ge=1)]
    input: InputContract
    output: OutputContract
    profile: dict[str, Any]
    calibration: Calibration | None = None
    untrained: Untrained | None = None

    @model_validator(mode="after")
    def _one_dim(self) -> "Description":
        if self.output.dim != self.dim:
            raise ValueError(f"`dim` is {self.dim} but `output.dim` is {self.output.dim}")
        return self

    @model_validator(mode="after")
    def _int8_was_calibrated(self) -> "Description":
        needs_ranges = FORMATS[self.format].int8 is not None
        if "int8" in self.precision and needs_ranges and self.calibration is None:
            raise ValueError("what computes in int8 needs its `calibration`")
        return self


class Sidecar(Description):
    """The whole record of an artifact, in a JSON file beside it.

    Attributes:
        files: every part of the artifact (file, or folder of a CoreML package) and its SHA-256.
        precision_per_layer: precision by layer where it is mixed.
        ladder: the precisions that were tried, quickest first, its own last; None where one was asked for.
        parameters: number of parameters of the sub-model.
        multiply_adds: per image.
        size_bytes: of all parts together.
        tools: versions of what exported it.
    """

    files: Annotated[dict[FileName, Sha256], Field(min_length=1)]
    precision_per_layer: dict[str, str] | None = None
    ladder: tuple[Rung, ...] | None = None
    parameters: Count
    multiply_adds: Count
    size_bytes: Count
    tools: dict[str, str]
    build: Build
    probe: ProbeFile
    fidelity: Fidelity | None = None

    def description(self) -> Description:
        """The part that is embedded in the artifact itself."""
        return Description.model_validate(self.model_dump(include=set(Description.model_fields)))


def sidecar_path(artifact: Path) -> Path:
    """Where the sidecar of `artifact` lies: beside it, `.json` appended to its name."""
    return artifact.with_name(artifact.name + ".json")


def read_sidecar(artifact: Path) -> Sidecar:
    """Read the sidecar of `artifact`.

    Raises:
        SfscError: absent, unreadable, or not a sidecar; names the file and the field.
    """
    path = sidecar_path(artifact)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise SfscError(
            f"{artifact} has no sidecar: {path} is missing.", "Copy it along with the artifact, or export anew."
        ) from None
    except OSError as error:
        raise SfscError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    return parse_json(Sidecar, text, path, "Copy the sidecar anew from where the artifact was exported.")


def write_sidecar(artifact: Path, sidecar: Sidecar) -> Path:
    """Write the sidecar of `artifact` beside it and return its path."""
    path = sidecar_path(artifact)
    write_text(path, sidecar.model_dump_json(indent=2) + "\n")
    return path


def read_embedded(metadata: Mapping[str, str], source: str | Path) -> Description | None:
    """The description in the metadata of an artifact; None where it has none.

    Raises:
        SfscError: there is one, but it is not valid.
    """
    text = metadata.get(EMBEDDED_KEY)
    return None if text is None else parse_json(Description, text, f"The metadata of {source}", "Export it anew.")


def check_files(artifact: Path, sidecar: Sidecar) -> list[str]:
    """Compare every part of `artifact` with its hash in the sidecar; returns one sentence per problem."""
    unlisted = sidecar.build.status == "built" and artifact.name not in sidecar.files
    problems = [_not_listed(artifact, sidecar)] if unlisted else []
    found = (_check_file(artifact.with_name(name), expected) for name, expected in sidecar.files.items())
    return problems + [problem for problem in found if problem]


def _not_listed(artifact: Path, sidecar: Sidecar) -> str:
    return f"{sidecar_path(artifact).name} describes {', '.join(sidecar.files)}, not {artifact.name}."


def _check_file(path: Path, expected: str) -> str | None:
    if not path.exists():
        return f"{path.name} is missing."
    actual = sha256_of(path)
    if actual == expected:
        return None
    return f"{path.name} is not the file that was exported: SHA-256 {actual[:12]}, expected {expected[:12]}."


def space_id(tensors: Mapping[str, NDArray[Any]], dim: int, preprocessing: Preprocessing) -> str:
    """Id of an embedding space: two artifacts may be compared only when theirs are equal.

    Args:
        tensors: every tensor of the supernet and its head, by name.
        dim: D of the embedding.
        preprocessing: how images become its input.

    Returns:
        SHA-256 in hexadecimal over names, dtypes, shapes and bytes (little-endian) in the order of the names, D, and
        the preprocessing; it does not depend on the order in which the tensors are given.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}\0{array.dtype.name}\0{array.shape}\0".encode())
        digest.update(little.tobytes())
    canonical = json.dumps(preprocessing.model_dump(mode="json"), sort_keys=True)
    digest.update(f"{dim}\0{canonical}".encode())
    return digest.hexdigest()
