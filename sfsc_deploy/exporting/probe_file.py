"""The probe that travels with the artifacts."""

from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.probe import Probe, build
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.runtime.torch_backend import reference

PROBE = "probe.safetensors"


def probe_for(run: RunFolder, task: ExportTask) -> Probe:
    """The run's own probe, or one made of the user's images.

    Raises:
        SfscError: images that make no probe, or one of another space that lies in the way.
    """
    _refuse_another(run, task)
    if task.probe is None:
        return Probe.load(run.probe_path)
    data = open_dataset(task.probe, with_train=False)
    chosen = build(data.query, data.gallery, run.preprocessing, space=run.space, origin=data.name)
    return chosen.with_references(run.widths, lambda width, images: reference(run, width).embed(images))


def _refuse_another(run: RunFolder, task: ExportTask) -> None:
    """Artifacts of two spaces in one folder would share the name of their probe."""
    place = task.out / PROBE
    if task.overwrite or not place.exists():
        return
    there = Probe.load(place)
    if there.space != run.space or task.probe:
        raise SfscError(
            f"{place} belongs to other artifacts (space {there.space[:12]}).",
            "Choose another folder with --out, or allow it to be replaced with --overwrite.",
        )
