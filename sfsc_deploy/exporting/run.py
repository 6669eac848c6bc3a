"""Slices, exports and describes a sub-model for each profile."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from exporters.errors import FormatUnavailable
from exporters.formats import export as export_model
from exporters.request import CoremlTarget, ExportRequest, ExportResult, TensorrtTarget
from profiles.schema import Profile
from sfsc_deploy.artifact import EMBEDDED_KEY, Description, InputContract, OutputContract, ProbeFile, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.description import describe, written_sidecars
from sfsc_deploy.exporting.probe_file import PROBE, probe_for
from sfsc_deploy.exporting.request import Exported, ExportTask, Unavailable
from sfsc_deploy.files import move_onto, replacing, sha256_of
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.slicing import slice_submodel
from trainer.supernet import Supernet

SUFFIXES = {"onnx": ".onnx", "tensorrt": ".engine", "coreml": ".mlpackage"}


def export(
    task: ExportTask, on_done: Callable[[Exported | Unavailable], None] = lambda _: None
) -> list[Exported | Unavailable]:
    """Writes an artifact, its sidecar and the probe for each profile.

    Args:
        task: what to export, and where to.
        on_done: hears of each profile as it is done.

    Raises:
        SfscError: no such run, a width that was not trained, or files in the way.
        ExportError: a model or a precision that can't be exported.
        FormatUnavailable: a profile's format can't be written, unless ``task.skip_unavailable``.
    """
    run = RunFolder.open(task.run) if task.run else RunFolder.latest()
    _refuse_existing(task)
    supernet, probe = run.supernet(), probe_for(run, task)
    with replacing(task.out / PROBE) as beside:
        probe.save(beside)
    exporter = _Exporter(run, supernet, probe, task)
    outcomes = []
    for profile in task.profiles:
        outcomes.append(exporter.attempt(profile))
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

    def __init__(self, run: RunFolder, supernet: Supernet, probe: Probe, task: ExportTask) -> None:
        self._run = run
        self._supernet = supernet
        self._probe = probe
        self._task = task

    def attempt(self, profile: Profile) -> Exported | Unavailable:
        try:
            return self._export(profile)
        except FormatUnavailable as error:
            if self._task.skip_unavailable:
                return Unavailable(profile, error.message)
            raise

    def _export(self, profile: Profile) -> Exported:
        if self._task.precision:
            profile = profile.with_precision(self._task.precision)
        if self._task.width is None:
            width = affordable_width(self._run.widths, profile.width)
        else:
            width = self._run.width(self._task.width)
        description = self._description(profile, width)
        self._task.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=self._task.out) as beside:
            target = Path(beside) / profile.name
            submodel = slice_submodel(self._supernet, width)
            result = export_model(profile.format, submodel, self._request(profile, description), target)
            return self._settle(profile, description, result)

    def _settle(self, profile: Profile, description: Description, result: ExportResult) -> Exported:
        """Moves what was written to its place, and the sidecar last: it is what makes a file an artifact."""
        probe = ProbeFile(file=PROBE, sha256=sha256_of(self._task.out / PROBE))
        sidecar = describe(description, result, probe, self._probe)
        out = self._task.out
        for file in result.files:
            move_onto(file, out / file.name)
        for name in written_sidecars(profile.name, SUFFIXES[profile.format], result):
            write_sidecar(out / name, sidecar)
        return Exported(profile, out / result.files[0].name, sidecar)

    def _description(self, profile: Profile, width: float) -> Description:
        return Description(
            space=self._run.space,
            run=self._run.name,
            width=width,
            format=profile.format,
            precision=profile.precision,
            dim=self._run.dim,
            input=InputContract(preprocessing=self._run.preprocessing),
            output=OutputContract(dim=self._run.dim),
            profile=profile.model_dump(mode="json", exclude_none=True),
        )

    def _request(self, profile: Profile, description: Description) -> ExportRequest:
        preprocessing, tensorrt, coreml = self._run.preprocessing, profile.tensorrt, profile.coreml
        return ExportRequest(
            height=preprocessing.height,
            width=preprocessing.width,
            mean=preprocessing.mean,
            std=preprocessing.std,
            dim=self._run.dim,
            precision=profile.precision,
            batch=(profile.batch.min, profile.batch.opt, profile.batch.max),
            metadata={EMBEDDED_KEY: description.model_dump_json()},
            tensorrt=TensorrtTarget(**tensorrt.model_dump()) if tensorrt else None,
            coreml=CoremlTarget(coreml.minimum_deployment_target) if coreml else None,
        )


def _refuse_existing(task: ExportTask) -> None:
    names = {profile.name for profile in task.profiles}
    if len(names) < len(task.profiles):
        raise SfscError("A profile was given twice.", "Name each profile once.")
    wanted = [task.out / f"{profile.name}{suffix}" for profile in task.profiles for suffix in SUFFIXES.values()]
    existing = [str(path) for path in wanted if path.exists()]
    if existing and not task.overwrite:
        raise SfscError(
            f"{', '.join(existing)} would be overwritten.",
            "Choose another folder with --out, or allow it with --overwrite.",
        )
