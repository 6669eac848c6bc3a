"""Slices, exports and describes a sub-model for each profile."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from exporters.errors import FormatUnavailable
from profiles.schema import Profile
from sfsc_deploy.artifact import ProbeFile, Rung, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.description import describe, written_sidecars
from sfsc_deploy.exporting.engine import finish, require_engines
from sfsc_deploy.exporting.ladder import AUTO, Gate, descend
from sfsc_deploy.exporting.making import Made, Maker, Wanted
from sfsc_deploy.exporting.probe_file import probe_for, probe_name, write_probe
from sfsc_deploy.exporting.request import Exported, ExportTask, Unavailable
from sfsc_deploy.exporting.submodels import Submodels
from sfsc_deploy.files import move_onto, sha256_of
from sfsc_deploy.formats import ARTIFACT_FORMATS, written_suffix
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import RunFolder


def export(
    task: ExportTask, on_done: Callable[[Exported | Unavailable], None] = lambda _: None, gate: Gate | None = None
) -> list[Exported | Unavailable]:
    """Writes an artifact, its sidecar and the probe for each profile.

    Args:
        task: what to export, and where to.
        on_done: hears of each profile as it is done.
        gate: judges each precision that is tried; needed where the task's precision is ``auto``.

    Raises:
        SfscError: no such run, a width that can't be had, no images to recalibrate one on that was not trained, files
            in the way, or an engine that is required but can't be built here.
        ExportError: a model or a precision that can't be exported.
        FormatUnavailable: a profile's format can't be written, unless ``task.skip_unavailable``.
    """
    _refuse_unknown(task)
    run = RunFolder.open(task.run) if task.run else RunFolder.latest()
    _ = run.space  # before anything else is asked of a run that hasn't finished
    _refuse_existing(task)
    if task.require_engine:
        require_engines(task.profiles)
    submodels = Submodels(run, task.calibration)
    probe, name = probe_for(submodels, task), probe_name(submodels, task)
    wanted = [_wanted(profile, run, task) for profile in task.profiles]
    exporter = _Exporter(submodels, probe, name, task, gate)
    write_probe(probe, task, name)
    outcomes = []
    for each in wanted:
        outcomes.append(exporter.attempt(each))
        on_done(outcomes[-1])
    return outcomes


def affordable_width(trained: Sequence[float], most: float) -> float:
    """The largest trained width that a device affords.

    Args:
        trained: widths of the run.
        most: the profile's width.

    Raises:
        SfscError: all of them are wider.
    """
    fitting = [width for width in trained if width <= most]
    if not fitting:
        raise SfscError(
            f"The device affords width {most:g}, but the narrowest that was trained is {min(trained):g}.",
            f"Train with --widths including {most:g}, or choose a wider one with --width.",
        )
    return max(fitting)


class _Exporter:
    """Exports one profile after the other from a loaded run."""

    def __init__(
        self, submodels: Submodels, probe: Probe, probe_name: str, task: ExportTask, gate: Gate | None
    ) -> None:
        self._maker = Maker(submodels, task.calibration, probe)
        self._probe = probe
        self._probe_name = probe_name
        self._task = task
        self._gate = gate

    def attempt(self, wanted: Wanted) -> Exported | Unavailable:
        try:
            return self._export(wanted)
        except FormatUnavailable as error:
            if self._task.skip_unavailable:
                return Unavailable(wanted.profile, error.message)
            raise

    def _export(self, wanted: Wanted) -> Exported:
        self._task.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=self._task.out) as beside:
            if self._task.precision == AUTO:
                assert self._gate is not None
                return self._settle(*descend(self._maker, wanted, self._probe, self._gate, Path(beside)))
            return self._settle(self._maker.make(wanted, Path(beside)), None)

    def _settle(self, made: Made, ladder: tuple[Rung, ...] | None) -> Exported:
        """Moves what was written to its place, and the sidecar last: it is what makes a file an artifact."""
        profile, result, out = made.wanted.profile, made.result, self._task.out
        beside = out / self._probe_name
        probe = ProbeFile(file=beside.name, sha256=sha256_of(beside))
        sidecar = describe(made.description, result, ladder, probe, self._probe)
        for file in result.files:
            move_onto(file, out / file.name)
        for name in written_sidecars(profile.name, written_suffix(profile.format), result):
            write_sidecar(out / name, sidecar)
        model = out / result.files[0].name
        built = sidecar.build.status == "built"
        return Exported(profile, model, sidecar) if built else finish(profile, model, sidecar)


def _wanted(profile: Profile, run: RunFolder, task: ExportTask) -> Wanted:
    if task.precision and task.precision != AUTO:
        profile = profile.with_precision(task.precision)
    if task.width is None:
        return Wanted(profile, affordable_width(run.widths, profile.width))
    return Wanted(profile, task.width)


def _refuse_unknown(task: ExportTask) -> None:
    for profile in task.profiles:
        if profile.format not in ARTIFACT_FORMATS:
            raise SfscError(
                f"Profile {profile.name} asks for format {profile.format!r}, which is unknown.",
                f"Known formats: {', '.join(ARTIFACT_FORMATS)}.",
            )


def _refuse_existing(task: ExportTask) -> None:
    names = {profile.name for profile in task.profiles}
    if len(names) < len(task.profiles):
        raise SfscError("A profile was given twice.", "Name each profile once.")
    suffixes = [written_suffix(name) for name in ARTIFACT_FORMATS]
    wanted = [task.out / f"{profile.name}{suffix}" for profile in task.profiles for suffix in suffixes]
    existing = [str(path) for path in wanted if path.exists()]
    if existing and not task.overwrite:
        raise SfscError(
            f"{', '.join(existing)} would be overwritten.",
            "Choose another folder with --out, or allow it with --overwrite.",
        )
