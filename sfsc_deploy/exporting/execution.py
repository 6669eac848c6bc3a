"""Slices, exports and describes a sub-model for each profile."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from exporters.errors import FormatUnavailable
from sfsc_deploy.artifact import ProbeFile, Rung, read_sidecar, write_sidecar
from sfsc_deploy.errors import Interrupted
from sfsc_deploy.exporting.description import describe, written_sidecars
from sfsc_deploy.exporting.engine import finish
from sfsc_deploy.exporting.ladder import descend
from sfsc_deploy.exporting.making import Made, Maker
from sfsc_deploy.exporting.plan import Prepared, artifact_name
from sfsc_deploy.exporting.probe_file import probe_for, probe_name, write_probe
from sfsc_deploy.exporting.request import AUTO, Exported, ExportTask, Gate, Unavailable, Wanted
from sfsc_deploy.exporting.submodels import Submodels
from sfsc_deploy.files import move_onto, sha256_of
from sfsc_deploy.formats import written_suffix
from sfsc_deploy.kit.packing import SUFFIX as KIT_SUFFIX
from sfsc_deploy.probe import Probe
from sfsc_deploy.unfinished import NOTE


def execute(
    prepared: Prepared, on_done: Callable[[Exported | Unavailable], None], gate: Gate | None
) -> list[Exported | Unavailable]:
    """Writes what was prepared; arguments and errors are those of `run.export`."""
    task = prepared.task
    submodels = Submodels(prepared.run, task.calibration)
    probe, name = probe_for(submodels, task), probe_name(submodels, task)
    exporter = _Exporter(submodels, probe, name, task, gate)
    write_probe(probe, task, name)
    outcomes: list[Exported | Unavailable] = []
    try:
        for outcome in _outcomes(prepared, exporter):
            outcomes.append(outcome)
            on_done(outcome)
    except KeyboardInterrupt:
        raise _stopped(prepared, len(outcomes)) from None
    except Exception:
        if not outcomes:  # refused, rather than stopped on the way: the folder is what it was
            prepared.before.save()
        raise
    return outcomes


def _outcomes(prepared: Prepared, exporter: "_Exporter") -> Iterator[Exported | Unavailable]:
    """What comes of each profile; at any time the folder says what it still lacks."""
    note = prepared.note
    note.save()
    for wanted in prepared.wanted:
        artifact = artifact_name(wanted.profile)
        outcome = _there(wanted, prepared.task) if note.artifacts[artifact].written else exporter.attempt(wanted)
        note = note.with_written(artifact) if isinstance(outcome, Exported) else note.without(artifact)
        note.save()
        yield outcome


def _stopped(prepared: Prepared, done: int) -> Interrupted:
    command = prepared.note.artifacts[artifact_name(prepared.wanted[0].profile)].command
    return Interrupted(
        f"Stopped after {done} of {len(prepared.wanted)} profiles; {prepared.task.out / NOTE} says what is missing.",
        f"Go on with: {command}",
    )


def _there(wanted: Wanted, task: ExportTask) -> Exported:
    """What was written before the export was stopped."""
    artifact = task.out / artifact_name(wanted.profile)
    sidecar, kit = read_sidecar(artifact), task.out / f"{wanted.profile.name}{KIT_SUFFIX}"
    source = artifact if artifact.exists() else task.out / next(iter(sidecar.files))
    return Exported(wanted.profile, source, sidecar, None if artifact.exists() or not kit.exists() else kit)


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
