"""What a request must be for a CoreML package to honour it."""

from pathlib import Path
from typing import Any

from exporters.errors import ExportError
from exporters.quiet_coreml import load_coremltools
from exporters.request import ExportRequest

COMPUTED_IN = {"float32": "float32", "float16": "float16", "int8": "float16"}
"""The type in which layers compute, by the precision asked for: int8 are weights only."""

_OLDEST = "iOS16"


def check_request(request: ExportRequest) -> None:
    """Check batch and precision.

    Raises:
        ExportError: more than one image at a time, or a precision that packages are not written in.
    """
    if request.batch != (1, 1, 1):
        smallest, common, largest = request.batch
        raise ExportError(
            f"A batch of min {smallest}, opt {common}, max {largest} was asked for, "
            "but a CoreML package with an image for input takes one image at a time.",
            "Set min, opt and max to 1 in the profile's [batch] table.",
        )
    if request.precision not in COMPUTED_IN:
        raise ExportError(
            f"Precision {request.precision!r} was asked for, CoreML packages are written in {', '.join(COMPUTED_IN)}.",
            "Choose one of them with --precision.",
        )


def oldest_system(request: ExportRequest) -> Any:
    """Give the `coremltools.target` that a package must run on.

    Raises:
        ExportError: the request names none, or one that is unknown or too old.
    """
    if request.coreml is None:
        raise ExportError(
            "A CoreML package is written for a system and newer ones, but the request doesn't tell which.",
            "Give the profile a [coreml] table with minimum_deployment_target and compute_units.",
        )
    known = load_coremltools().target
    name = request.coreml.minimum_deployment_target
    if name not in known.__members__ or known[name] < known[_OLDEST]:
        fitting = ", ".join(key for key, system in known.__members__.items() if system >= known[_OLDEST])
        raise ExportError(
            f"minimum_deployment_target {name!r} was asked for, CoreML packages are written from {_OLDEST} on.",
            f"Set one of {fitting} in the profile's [coreml] table.",
        )
    return known[name]


def free_place(target: Path) -> Path:
    """Give the path of the package for a path without suffix.

    Raises:
        ExportError: something stands there.
    """
    path = target.with_name(f"{target.name}.mlpackage")
    if path.exists():
        raise ExportError(f"{path} exists already.", "Choose another folder with --out.")
    return path
