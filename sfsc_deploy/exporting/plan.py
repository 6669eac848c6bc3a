"""From a task to what is to be made of which run: what can be wrong without a look at the weights is found here."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profiles.schema import Profile
from sfsc_deploy import __version__
from sfsc_deploy.artifact import check_files, read_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.engine import require_engines
from sfsc_deploy.exporting.request import AUTO, ExportTask, Wanted
from sfsc_deploy.files import refuse_unwritable
from sfsc_deploy.formats import ARTIFACT_FORMATS, written_suffix
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.unfinished import Meant, Note


@dataclass(frozen=True, eq=False)
class Prepared:
    """An export that is ready to start."""

    task: ExportTask
    run: RunFolder
    wanted: tuple[Wanted, ...]
    """One for each profile, in the order given."""
    before: Note
    """What is said of the folder now."""
    note: Note
    """What is to be said of it while the export is on its way."""


def prepare(task: ExportTask) -> Prepared:
    """Resolves a task.

    Raises:
        SfscError: no such run, a profile twice or of an unknown format, a width that can't be had, files in the way, a
            folder that can't be written, or an engine that is required but can't be built here.
        ProfileError: a precision that a profile doesn't allow.
    """
    _refuse_unknown(task)
    profiles = [_in_precision(profile, task.precision) for profile in task.profiles]
    _refuse_impossible(task.width)
    refuse_unwritable(task.out, folder=True)
    run = RunFolder.open(task.run) if task.run else RunFolder.latest()
    _ = run.space  # before anything else is asked of a run that hasn't finished
    wanted = tuple(_wanted(profile, run, task) for profile in profiles)
    before, meant = Note.of(task.out), _meant(wanted, run, task)
    _refuse_existing(task, before, meant)
    if task.require_engine:
        require_engines(task.profiles)
    return Prepared(task, run, wanted, before, before.with_all(_going_on(before, meant)))


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


def artifact_name(profile: Profile) -> str:
    """Of the file or folder that a profile's artifact is, or will be once its device has built it."""
    return f"{profile.name}{written_suffix(profile.format)}"


def _wanted(profile: Profile, run: RunFolder, task: ExportTask) -> Wanted:
    return Wanted(profile, affordable_width(run.widths, profile.width) if task.width is None else task.width)


def _in_precision(profile: Profile, precision: str | None) -> Profile:
    return profile.with_precision(precision) if precision and precision != AUTO else profile


def _refuse_unknown(task: ExportTask) -> None:
    for profile in task.profiles:
        if profile.format not in ARTIFACT_FORMATS:
            raise SfscError(
                f"Profile {profile.name} asks for format {profile.format!r}, which is unknown.",
                f"Known formats: {', '.join(ARTIFACT_FORMATS)}.",
            )
    if len({profile.name for profile in task.profiles}) < len(task.profiles):
        raise SfscError("A profile was given twice.", "Name each profile once.")


def _refuse_impossible(width: float | None) -> None:
    if width is not None and not 0 < width <= 1:
        raise SfscError(
            f"There is no sub-model of width {width:g}: a width is a share of the channels, above 0 and at most 1.",
            "Choose another --width.",
        )


def _meant(wanted: Sequence[Wanted], run: RunFolder, task: ExportTask) -> Mapping[str, Meant]:
    command = _command(run, task)
    return {artifact_name(each.profile): Meant(settings=_settings(each, run, task), command=command) for each in wanted}


def _command(run: RunFolder, task: ExportTask) -> str:
    """What to type to go on with an export."""
    profiles = task.named or [profile.name for profile in task.profiles]
    words = ["sfsc-deploy", "export", str(run.path)]
    words += ["--all"] if task.skip_unavailable else [word for name in profiles for word in ("--profile", name)]
    options = {
        "--width": task.width,
        "--precision": task.precision,
        "--calibration": task.calibration,
        "--out": task.out,
        "--probe": task.probe,
    }
    words += [str(word) for name, value in options.items() if value is not None for word in (name, value)]
    flags = {"--require-engine": task.require_engine, "--overwrite": task.overwrite}
    return shlex.join([*words, *(flag for flag, given in flags.items() if given)])


def _settings(wanted: Wanted, run: RunFolder, task: ExportTask) -> str:
    """SHA-256 of all that decides what an artifact holds."""
    decisive = {
        "space": run.space,
        "profile": wanted.profile.model_dump(mode="json"),
        "width": wanted.width,
        "precision": task.precision,
        "images": [path and str(path.resolve()) for path in (task.calibration, task.probe)],
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _going_on(before: Note, meant: Mapping[str, Meant]) -> Mapping[str, Meant]:
    """The same, those marked as written that this export wrote before it was stopped."""
    there = {name for name in before.artifacts if name in meant and _is_there(before, name, meant[name])}
    return {name: before.artifacts[name] if name in there else each for name, each in meant.items()}


def _is_there(before: Note, name: str, wanted: Meant) -> bool:
    known, artifact = before.artifacts[name], before.folder / name
    if not known.written or known.settings != wanted.settings:
        return False
    try:
        return not check_files(artifact, read_sidecar(artifact))
    except SfscError:
        return False


def _refuse_existing(task: ExportTask, before: Note, meant: Mapping[str, Meant]) -> None:
    suffixes = [written_suffix(name) for name in ARTIFACT_FORMATS]
    ours = {name.rpartition(".")[0] for name in meant if _may_replace(before.artifacts.get(name), meant[name])}
    stems = [profile.name for profile in task.profiles if profile.name not in ours]
    existing = [str(path) for stem in stems for suffix in suffixes if (path := task.out / f"{stem}{suffix}").exists()]
    if existing and not task.overwrite:
        raise SfscError(
            f"{', '.join(existing)} would be overwritten.",
            "Choose another folder with --out, or allow it with --overwrite.",
        )


def _may_replace(known: Meant | None, wanted: Meant) -> bool:
    """Whether what lies there is of this very export, whole or not, or was to be replaced by it."""
    return known is not None and known.settings == wanted.settings
