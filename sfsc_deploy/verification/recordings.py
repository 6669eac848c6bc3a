"""Is a recording that of the artifact that it names, and of the one that lies beside it?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sfsc_deploy.artifact import Sidecar, read_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.verification.sources import with_source
from sfsc_deploy.verification.subject import Facts, artifact_name
from sfsc_deploy.verification.verdict import Finding, Status, failed, passed, unverified

if TYPE_CHECKING:
    from sfsc_deploy.runtime.recorded import Recording

EXPORT = "sfsc-deploy export --profile ..."
_OF_A_RUN = "It was recorded from a run folder, whose weights are checked when it is opened."
_OF_THE_SOURCE = " That is {}, not what is still to be built from it."
NO_HASH = "Its hash was not recorded when it was built: nothing tells whether it is still the same."


def intact_recording(path: Path, recording: "Recording", facts: Facts | None) -> Finding:
    """Did the file run that its sidecar speaks of, and is it the one that lies beside the recording?

    Args:
        path: of the recording.
        recording: what was told on the device.
        facts: what it claims to be; None where that isn't known.
    """
    found, artifact = _as_exported(recording, facts), _beside(recording, path.parent)
    if recording.sidecar is None or artifact is None:
        return found
    if _is_another(artifact, recording, recording.sidecar):
        other = f"It was recorded from another {artifact.name} than the one that lies beside it: record it anew."
        return failed(f"{found.why} {other}" if found.status is Status.FAIL else other)
    return found if found.status is not Status.PASS else with_source(found, artifact, recording.sidecar)


def intact_gallery(recording: "Recording", facts: Facts | None) -> Finding:
    """Did the file run that its sidecar speaks of? A stored gallery may outlive it, so what lies beside tells nothing.

    Args:
        recording: what was told when the gallery was stored.
        facts: what it claims to be; None where that isn't known.
    """
    found, sidecar = _as_exported(recording, facts), recording.sidecar
    if sidecar is None or found.status is not Status.PASS:
        return found
    source = "" if sidecar.build.status == "built" else _OF_THE_SOURCE.format(artifact_name(recording))
    return passed(f"{found.why}{source} Files beside it were not compared.")


def nothing_to_compare(missing: str) -> Finding:
    """Nobody can tell whether a file is still what it was."""
    return unverified(f"There is nothing to compare it with: {missing} is missing. Copy it along.", EXPORT)


def _beside(recording: "Recording", folder: Path) -> Path | None:
    """Where the artifact lies, if it lies beside its recording; None where no hash of it was recorded."""
    name = artifact_name(recording)
    return folder / name if name in recording.files else None


def _as_exported(recording: "Recording", facts: Facts | None) -> Finding:
    """Whether what ran is what the sidecar speaks of that the recording carries."""
    sidecar = recording.sidecar
    if sidecar is None:
        return nothing_to_compare("a sidecar") if facts is None else passed(_OF_A_RUN)
    problems = list(_problems(recording, sidecar))
    if problems:
        return failed(" ".join(problems))
    if artifact_name(recording) not in sidecar.files:
        return unverified(NO_HASH, sidecar.build.command)
    return passed("What ran on the device has the hashes of its sidecar.")


def _problems(recording: "Recording", sidecar: Sidecar) -> Iterator[str]:
    if recording.probe not in (None, sidecar.probe.sha256):
        yield "It was recorded with another probe than the one that the artifact was exported with."
    if (recording.space, recording.preprocessing) != (sidecar.space, sidecar.input.preprocessing):
        yield "Its space or preprocessing is not that of the sidecar that it carries."
    # What was built by hand is the one thing that its sidecar, that of what it was built from, has no hash of.
    if sidecar.build.status == "built" or artifact_name(recording) in sidecar.files:
        differing = [name for name, expected in sidecar.files.items() if recording.files.get(name) != expected]
        if differing:
            yield f"What ran on the device is not what was exported: {', '.join(differing)} differ."


def _is_another(artifact: Path, recording: "Recording", sidecar: Sidecar) -> bool:
    """Whether what lies beside a recording, or what its sidecar there tells, is another build."""
    beside = _sidecar_beside(artifact)
    if beside and beside.build.status == "built" and beside.files != sidecar.files:
        return True
    return artifact.exists() and sha256_of(artifact) != recording.files[artifact.name]


def _sidecar_beside(artifact: Path) -> Sidecar | None:
    try:
        return read_sidecar(artifact)
    except SfscError:
        return None
