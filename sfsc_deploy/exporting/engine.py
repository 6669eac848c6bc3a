"""What becomes of an artifact that only its device can build: built where this is one, else packed for it."""

from collections.abc import Sequence
from pathlib import Path

from exporters.build_recipe import RECIPE_SUFFIX
from profiles.schema import Profile
from sfsc_deploy.artifact import Sidecar
from sfsc_deploy.building import BuildTask, build, why_not_here
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.request import Exported
from sfsc_deploy.formats import written_suffix
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import SUFFIX, pack


def require_engines(profiles: Sequence[Profile]) -> None:
    """Check that every engine among the artifacts of some profiles can be built on this machine.

    Raises:
        SfscError: names the first that can't, and why.
    """
    for profile in profiles:
        why = _why_not_here(profile)
        if why is not None:
            raise SfscError(
                f"The engine of {profile.name} is required, but it can't be built here: {why}",
                "Export on the device itself, or leave out --require-engine and build there what is then left for it.",
            )


def finish(profile: Profile, model: Path, sidecar: Sidecar) -> Exported:
    """Build the engine beside its model, or else pack what its device needs into a kit.

    Args:
        profile: whose files these are.
        model: the typed ONNX file, with its recipe and the sidecars beside it.
        sidecar: of the model; the probe that it names lies beside it, too.

    Raises:
        SfscError: this machine fits, but TensorRT failed.
    """
    recipe, engine = (model.with_name(profile.name + suffix) for suffix in (RECIPE_SUFFIX, written_suffix("tensorrt")))
    if _why_not_here(profile) is None:
        built = build(BuildTask(recipe, overwrite=True))
        return Exported(profile, built.engine, built.sidecar)
    engine.unlink(missing_ok=True)  # of an earlier export, which was allowed to be replaced
    kit = pack([content_of(engine)], model.with_name(profile.name + SUFFIX))
    return Exported(profile, model, sidecar, kit)


def _why_not_here(profile: Profile) -> str | None:
    device = profile.tensorrt
    return None if device is None else why_not_here(device.compute_capability, device.version)
