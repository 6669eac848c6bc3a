"""Names in a kit: of the files in the archive, and of what the device records. No two things share one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.kit.contents import Content
from sfsc_deploy.kit.runner.manifest import MANIFEST

README = "README.txt"
RUNNER = "run.pyz"
_RECORDING = ".safetensors"
_OWN = (MANIFEST, README, RUNNER)
_ONE_EACH = "Make a kit for each, with --out."


def files_of(contents: Sequence[Content]) -> dict[str, Path]:
    """Every file of some artifacts and their probes, by the name in the kit.

    Raises:
        SfscError: two artifacts of one name, files of one name that differ, or a name of the kit's own files. Names
            that differ in capitals alone are one: on some devices they are one file.
    """
    _refuse_twins([content.artifact for content in contents])
    files: dict[str, Path] = {}
    for content in contents:
        for name, path in {**content.files, content.probe.name: content.probe}.items():
            _refuse_other(path, name, files)
            files.setdefault(name, path)
    return files


def recordings_of(contents: Sequence[Content]) -> tuple[str, ...]:
    """What the device calls that which it records of each artifact.

    `a.safetensors` of `a.onnx`, or `a.onnx.safetensors` where the short name is that of another recording or the probe.
    """
    long = [each.artifact.name + _RECORDING for each in contents]
    short = [each.artifact.stem + _RECORDING for each in contents]
    taken = [name.casefold() for name in (*short, *long, *(each.probe.name for each in contents))]
    return tuple(brief if taken.count(brief.casefold()) == 1 else full for brief, full in zip(short, long, strict=True))


def _refuse_twins(artifacts: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for artifact in artifacts:
        other = seen.setdefault(artifact.name.casefold(), artifact)
        if other is not artifact:
            raise SfscError(f"{other} and {artifact} are different artifacts of one name.", _ONE_EACH)


def _refuse_other(path: Path, name: str, files: Mapping[str, Path]) -> None:
    folded = {known.casefold(): known for known in (*files, *_OWN)}
    known = folded.get(name.casefold())
    if known is None:
        return
    if known in _OWN:
        raise SfscError(f"{path} has the name of a file that every kit holds.", "Rename it, and export anew.")
    if known != name or sha256_of(files[known]) != sha256_of(path):
        raise SfscError(f"{files[known]} and {path} are different files of one name.", _ONE_EACH)
