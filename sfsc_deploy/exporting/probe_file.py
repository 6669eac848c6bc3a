"""The probe that travels with the artifacts."""

from pathlib import Path

from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.files import replacing, sha256_of
from sfsc_deploy.probe import Probe, build
from sfsc_deploy.run_folder import PROBE, RunFolder
from sfsc_deploy.runtime.torch_backend import reference


def probe_for(run: RunFolder, task: ExportTask) -> Probe:
    """The run's own probe, or one made of the user's images.

    Raises:
        SfscError: images that make no probe, or a probe in the run's folder that isn't the run's.
    """
    if task.probe is None:
        return _own(run)
    data = open_dataset(task.probe, with_train=False)
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


def write_probe(probe: Probe, task: ExportTask) -> None:
    """Puts the probe beside the artifacts.

    Raises:
        SfscError: another one is there already, which artifacts beside it are verified with.
    """
    place = task.out / PROBE
    with replacing(place) as beside:
        probe.save(beside)
        if place.exists() and sha256_of(place) != sha256_of(beside):
            _refuse_while_needed(place, task)


def _refuse_while_needed(place: Path, task: ExportTask) -> None:
    replaced = {profile.name for profile in task.profiles} if task.overwrite else set()
    needing = sorted({file.name.partition(".")[0] for file in place.parent.glob("*.json")} - replaced)
    names = f" ({', '.join(needing)})" if needing else ""
    if needing or not task.overwrite:
        raise SfscError(
            f"{place} belongs to other artifacts{names}: it holds other images "
            "than the one to be written, or those of another space.",
            "Choose another folder with --out, or export all of them again with --overwrite.",
        )
