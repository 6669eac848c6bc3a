"""The probe that travels with the artifacts."""

from pathlib import Path

from exporters.build_recipe import RECIPE_SUFFIX
from sfsc_deploy.artifact import read_sidecar
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.exporting.submodels import Submodels
from sfsc_deploy.files import replacing, sha256_of
from sfsc_deploy.probe import Probe, build
from sfsc_deploy.run_folder import PROBE, RunFolder, untrained_probe
from sfsc_deploy.runtime.torch_backend import reference


def probe_for(submodels: Submodels, task: ExportTask) -> Probe:
    """The run's own probe, or one made of the user's images, with references of all widths that are exported.

    Raises:
        SfscError: images that make no probe, or a probe in the run's folder that isn't the run's.
    """
    probe = _own(submodels.run) if task.probe is None else _of(task.probe, submodels.run)
    return probe if task.width is None else submodels.completed(probe, task.width)


def _of(images: Path, run: RunFolder) -> Probe:
    data = open_dataset(images, with_train=False)
    chosen = build(data.query, data.gallery, run.preprocessing, space=run.space, origin=data.name)
    return chosen.with_references(run.widths, lambda width, images: reference(run, width).embed(images))


def _own(run: RunFolder) -> Probe:
    probe = Probe.load(run.probe_path)
    if probe.space != run.space or set(probe.widths) != set(run.widths):
        raise SfscError(
            f"{run.probe_path} is not the probe of this run: it has other widths, or belongs to another space.",
            "Restore it, or make another of your images with --probe DIR.",
        )
    return probe


def probe_name(submodels: Submodels, task: ExportTask) -> str:
    """Under which name the probe goes out.

    With a reference of a width that was not trained it is another file than the one that artifacts of trained widths
    have the hash of, and lies beside that.
    """
    if task.width is None or submodels.is_trained(task.width):
        return PROBE
    return untrained_probe(task.width)


def write_probe(probe: Probe, task: ExportTask, name: str = PROBE) -> None:
    """Puts the probe beside the artifacts.

    Raises:
        SfscError: another one is there already, which artifacts beside it are verified with.
    """
    place = task.out / name
    with replacing(place) as beside:
        probe.save(beside)
        if place.exists() and sha256_of(place) != sha256_of(beside):
            _refuse_while_needed(place, task)


def _refuse_while_needed(place: Path, task: ExportTask) -> None:
    replaced = {profile.name for profile in task.profiles} if task.overwrite else set()
    sidecars = [file for file in place.parent.glob("*.json") if _may_need(file, place.name)]
    needing = sorted({file.name.partition(".")[0] for file in sidecars} - replaced)
    names = f" ({', '.join(needing)})" if needing else ""
    if needing or not task.overwrite:
        raise SfscError(
            f"{place} belongs to other artifacts{names}: it holds other images "
            "than the one to be written, or those of another space.",
            "Choose another folder with --out, or export all of them again with --overwrite.",
        )


def _may_need(sidecar: Path, probe: str) -> bool:
    """Whether an artifact is verified with a probe of this name; one that can't be read may be."""
    if sidecar.name.endswith(RECIPE_SUFFIX):
        return False  # It has sidecars beside it.
    try:
        return read_sidecar(sidecar.with_suffix("")).probe.file == probe
    except SfscError:
        return True
