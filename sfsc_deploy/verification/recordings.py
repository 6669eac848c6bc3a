"""Is a recording that of the artifact that it names, and of the one that lies beside it?"""

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from sfsc_deploy.artifact import Sidecar, read_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.verification.sources import with_source
from sfsc_deploy.verification.subject import Facts
from sfsc_deploy.verification.verdict import Finding, failed, passed, unverified

if TYPE_CHECKING:
    from sfsc_deploy.runtime.recorded import Recording

EXPORT = "sfsc-deploy export --profile ..."
_OF_A_RUN = "It was recorded from a run folder, whose weights are checked when it is opened."
NO_HASH = "Its hash was not recorded when it was built: nothing tells whether it is still the same."


def intact_recording(path: Path, recording: "Recording", facts: Facts | None) -> Finding:
    """Did the file run that its sidecar speaks of, and is it the one that lies beside the recording?

    Args:
        path: of the recording.
        recording: what was told on the device.
        facts: what it claims to be; None where that isn't known.
    """
    sidecar = recording.sidecar
    if sidecar is None:
        return nothing_to_compare("a sidecar") if facts is None else passed(_OF_A_RUN)
    artifact = _beside(recording, path.parent)
    problems = list(_problems(recording, sidecar, artifact))
    if problems:
        return failed(" ".join(problems))
    if artifact is None or artifact.name not in sidecar.files:
        return unverified(NO_HASH, sidecar.build.command)
    return with_source(passed("What ran on the device has the hashes of its sidecar."), artifact, sidecar)


def nothing_to_compare(missing: str) -> Finding:
    """Nobody can tell whether a file is still what it was."""
    return unverified(f"There is nothing to compare it with: {missing} is missing. Copy it along.", EXPORT)


def artifact_name(recording: "Recording") -> str:
    """The name of what ran, without the folders of its device."""
    return PureWindowsPath(recording.artifact).name  # both / and \ separate


def _beside(recording: "Recording", folder: Path) -> Path | None:
    """Where the artifact lies, if it lies beside its recording; None where no hash of it was recorded."""
    name = artifact_name(recording)
    return folder / name if name in recording.files else None


def _problems(recording: "Recording", sidecar: Sidecar, artifact: Path | None) -> Iterator[str]:
    if recording.probe not in (None, sidecar.probe.sha256):
        yield "It was recorded with another probe than the one that the artifact was exported with."
    if (recording.space, recording.preprocessing) != (sidecar.space, sidecar.input.preprocessing):
        yield "Its space or preprocessing is not that of the sidecar that it carries."
    if artifact is not None and _is_another(artifact, recording, sidecar):
        yield f"It was recorded from another {artifact.name} than the one that lies beside it: record it anew."
    elif sidecar.build.status == "built":
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
