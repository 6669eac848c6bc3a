"""The table of formats: what the product knows of each, besides how it is written (`exporters.formats`).

A new format is an entry here, one there, and the two files that they name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class ArtifactFormat:
    """What is known of the artifacts of one format.

    Attributes:
        kind: what verification calls such an artifact.
        suffixes: of its files or folders; the first is what `export` writes.
        software: what runs it on a device, for people.
        runtime: module with `open_artifact(path, settings) -> Embedder`; imported when an artifact is opened.
        precision: module with `read_precision(path) -> str`; None where nobody can look into the artifact. What can be
            looked into holds its own description, too.
        contract: what it declares, and verification judges: tensors in the words of ONNX Runtime, one picture in those
            of CoreML; None where only what it takes and gives tells.
        stores_only: whether its precision is that of the weights, rather than of the computation.
        optimised: whether it holds the graph as it was optimised when it was written, so that nothing runs it plainly.
        left_to_device: whether a sidecar may stand for an artifact that isn't there yet.
    """

    kind: str
    suffixes: tuple[str, ...]
    software: str
    runtime: str
    precision: str | None
    contract: Literal["tensors", "picture"] | None
    stores_only: bool = False
    optimised: bool = False
    left_to_device: bool = False


ARTIFACT_FORMATS: Mapping[str, ArtifactFormat] = MappingProxyType(
    {
        "onnx": ArtifactFormat(
            "onnx",
            (".onnx",),
            "ONNX Runtime",
            "sfsc_deploy.runtime.onnx_backend",
            precision="exporters.precision",
            contract="tensors",
        ),
        "ort": ArtifactFormat(
            "ort",
            (".ort",),
            "ONNX Runtime",
            "sfsc_deploy.runtime.ort_backend",
            precision="exporters.ort_precision",
            contract="tensors",
            optimised=True,
        ),
        "tensorrt": ArtifactFormat(
            "engine",
            (".engine", ".plan"),
            "TensorRT (with Python 3.10)",
            "sfsc_deploy.runtime.engine.opening",
            precision=None,
            contract=None,
            left_to_device=True,
        ),
        "coreml": ArtifactFormat(
            "package",
            (".mlpackage",),
            "coremltools on a Mac",
            "sfsc_deploy.runtime.coreml_opening",
            precision="exporters.coreml_precision",
            contract="picture",
            stores_only=True,
            left_to_device=True,
        ),
    }
)
"""By the name that profiles and sidecars give."""


def format_of(suffix: str) -> ArtifactFormat | None:
    """The format of what ends in `suffix`; None where no format does."""
    return next((known for known in ARTIFACT_FORMATS.values() if suffix in known.suffixes), None)


def written_suffix(name: str) -> str:
    """What an artifact in the format of that name ends in."""
    return ARTIFACT_FORMATS[name].suffixes[0]


def known_suffixes() -> str:
    """Every suffix, for messages: `.a, .b or .c`."""
    *others, last = (suffix for known in ARTIFACT_FORMATS.values() for suffix in known.suffixes)
    return f"{', '.join(others)} or {last}"
