"""Is an engine that of the ONNX file beside it, or of another export?"""

from pathlib import Path

from sfsc_deploy.artifact import Sidecar
from sfsc_deploy.build_command import build_command_here
from sfsc_deploy.built_from import BuiltFrom, built_from
from sfsc_deploy.errors import SfscError
from sfsc_deploy.verification.verdict import Finding, failed, passed, unverified


def with_source(found: Finding, artifact: Path, sidecar: Sidecar) -> Finding:
    """Let a PASS hold for what an artifact was built from, too; of what is no built engine, it stays.

    Args:
        found: that the artifact is the file of its sidecar.
        artifact: where it lies or, where it stayed on its device, would lie.
        sidecar: its own.
    """
    if sidecar.format != "tensorrt" or sidecar.build.status != "built":
        return found
    try:
        known = built_from(artifact, sidecar)
    except SfscError as error:
        return failed(error.message)
    return _judged(found, known, build_command_here(artifact, sidecar.build.command, overwrite=True))


def _judged(found: Finding, known: BuiltFrom, rebuilding: str | None) -> Finding:
    onnx = known.onnx.name
    if known.problem is not None:
        return failed(known.problem)
    if known.recorded is None and known.beside is not None:
        why = f"Which ONNX file it was built from was not recorded: {onnx} beside it may be of another export."
        return unverified(why, rebuilding)
    if known.recorded is None:
        return passed(f"{found.why} Which ONNX file it was built from was not recorded.")
    if known.beside is None:
        return passed(f"{found.why} The {onnx} that it was built from is not beside it, and was not compared.")
    return passed(f"{found.why} It was built from {onnx} beside it.")
