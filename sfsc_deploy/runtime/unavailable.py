"""Formats that cannot be run here: why, and the command that completes the matter where they can."""

from pathlib import Path

from sfsc_deploy.artifact import read_sidecar, sidecar_path
from sfsc_deploy.build_command import build_command_here
from sfsc_deploy.errors import SfscError


class BackendMissing(SfscError):  # noqa: N818 (a state of the machine, not a mistake)
    """The Python package that runs an artifact is not installed."""


class BackendUnavailable(SfscError):  # noqa: N818 (a state of the machine, not a mistake)
    """An artifact that may be right, but that this machine or version cannot run.

    Attributes:
        why: the reason, a sentence.
        command: what completes it on the device.
    """

    def __init__(self, artifact: Path, why: str, command: str, *, where: str = "On the device") -> None:
        super().__init__(f"{artifact} cannot be run here: {why}", f"{where}: {command}")
        self.why = why
        self.command = command


def unavailable_engine(path: Path, why: str) -> BackendUnavailable:
    """That the TensorRT engine at `path` cannot be run here, and why; or that it is still to be built.

    Raises:
        SfscError: there is neither an engine nor a sidecar that says how to build one.
    """
    return BackendUnavailable(path, _why_not_built(path) or why, _command(path))


def unavailable_package(path: Path, why: str) -> BackendUnavailable:
    """That the CoreML package at `path` cannot be run here, and why.

    Raises:
        SfscError: there is neither a package nor a sidecar that says how to build one.
    """
    return BackendUnavailable(path, _why_not_built(path) or why, _command(path))


def _why_not_built(path: Path) -> str | None:
    if path.exists():
        return None
    if not sidecar_path(path).exists():
        raise SfscError(f"{path} does not exist.", "Check the path, or export it: `sfsc-deploy export --profile ...`.")
    return "it is still to be built on the device."


def _command(path: Path) -> str:
    recorded = path.with_suffix(".safetensors")
    build = None if path.exists() else _build_command(path)
    steps = [f"sfsc-deploy embed {path} --out {recorded}", f"sfsc-deploy verify-compat ... {recorded}"]
    return ", then ".join(f"`{step}`" for step in [*([build] if build else []), *steps])


def _build_command(path: Path) -> str | None:
    return build_command_here(path, None) or read_sidecar(path).build.command
