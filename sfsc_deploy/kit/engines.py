"""An engine that is packed as it was built: that it isn't a stale one, and what is not known of it."""

from pathlib import Path

from exporters.build_recipe import RECIPE_SUFFIX
from sfsc_deploy.artifact import Sidecar
from sfsc_deploy.built_from import built_from
from sfsc_deploy.errors import SfscError

_BY_HAND = (
    "was built by hand: from which ONNX file, with which TensorRT and for which GPU is not known. What it embeds is "
    "recorded, but verify-compat will leave it UNVERIFIED."
)


def refuse_stale(engine: Path, sidecar: Sidecar) -> None:
    """Make sure that an engine isn't one of an earlier export than the ONNX file beside it.

    Raises:
        SfscError: it is.
    """
    problem = built_from(engine, sidecar).problem
    if problem is not None:
        recipe = engine.with_name(engine.stem + RECIPE_SUFFIX)
        raise SfscError(
            f"{engine} is not that of the present export. {problem}",
            f"Remove it, and the kit builds it on the device; or, there: sfsc-deploy build {recipe} --overwrite",
        )


def unknown_of(engine: Path, sidecar: Sidecar) -> tuple[str, ...]:
    """What its sidecar doesn't tell of an engine, in sentences."""
    build = sidecar.build
    if build.status != "built":
        return (f"{engine.name} {_BY_HAND}",)
    untold = [
        *(["on which GPU and with which TensorRT"] if build.device is None else []),
        *(["from which ONNX file"] if build.onnx_sha256 is None else []),
    ]
    return (f"{engine.name}: it was not recorded {' and '.join(untold)} it was built.",) if untold else ()
