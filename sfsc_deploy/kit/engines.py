"""Engines in a kit: what one is built from on the device, and what is not known of one that is built already."""

from pathlib import Path

from exporters.build_recipe import recipe_of
from sfsc_deploy.artifact import Sidecar, sidecar_path
from sfsc_deploy.building import read_onnx, read_recipe, read_sidecar_for
from sfsc_deploy.built_from import built_from
from sfsc_deploy.errors import SfscError

_BY_HAND = (
    "was built by hand: from which ONNX file, with which TensorRT and for which GPU is not known. What it embeds is "
    "recorded, but verify-compat will leave it UNVERIFIED."
)
_SOURCE_ALONE = (
    "is what an engine is built from, but {recipe} is missing: the kit records what this file itself embeds, and "
    "verify-compat will leave it UNVERIFIED."
)


def sources_of(engine: Path) -> dict[str, Path]:
    """The typed model, its record and the recipe, by the name in the kit.

    Raises:
        SfscError: they don't agree with each other and with the sidecar of the engine, or one is missing.
    """
    recipe = recipe_of(engine)
    facts = read_recipe(recipe)
    if facts.engine != engine.name:
        raise SfscError(f"{recipe} builds {facts.engine}, not {engine.name}.", "Export it anew.")
    read_onnx(recipe, facts)
    onnx = engine.with_name(facts.onnx)
    for path in (onnx, engine):  # `sfsc-deploy build` goes by the first, the runner by the second
        read_sidecar_for(facts, path)
    return {path.name: path for path in (onnx, sidecar_path(onnx), recipe)}


def refuse_stale(engine: Path, sidecar: Sidecar) -> None:
    """Make sure that an engine isn't one of an earlier export than the ONNX file beside it.

    Raises:
        SfscError: it is.
    """
    problem = built_from(engine, sidecar).problem
    if problem is not None:
        raise SfscError(
            f"{engine} is not that of the present export. {problem}",
            f"Remove it, and the kit builds it on the device; or, there: sfsc-deploy build {recipe_of(engine)} "
            "--overwrite",
        )


def unknown_of(artifact: Path, sidecar: Sidecar) -> tuple[str, ...]:
    """What is not known of an artifact that is packed as it is, in sentences."""
    build = sidecar.build
    if sidecar.format != "tensorrt":
        return ()
    if build.status != "built":
        is_source = artifact.name in sidecar.files
        why = _SOURCE_ALONE.format(recipe=recipe_of(artifact).name) if is_source else _BY_HAND
        return (f"{artifact.name} {why}",)
    untold = [
        *(["on which GPU and with which TensorRT"] if build.device is None else []),
        *(["from which ONNX file"] if build.onnx_sha256 is None else []),
    ]
    return (f"{artifact.name}: it was not recorded {' and '.join(untold)} it was built.",) if untold else ()
