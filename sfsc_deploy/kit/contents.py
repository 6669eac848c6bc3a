"""What of an artifact goes into a kit: itself or what it is built from, its record, and its probe."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporters.build_recipe import RECIPE_SUFFIX, recipe_of
from sfsc_deploy.artifact import Sidecar, check_files, read_sidecar, sidecar_path
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.formats import ARTIFACT_FORMATS, format_of, known_suffixes, written_suffix
from sfsc_deploy.kit.engines import refuse_stale, sources_of, unknown_of

_ENGINE = written_suffix("tensorrt")
_ONNX = written_suffix("onnx")


@dataclass(frozen=True)
class Content:
    """One artifact of a kit.

    Attributes:
        artifact: what runs on the device, built or not.
        kind: see `ArtifactFormat.kind`.
        sidecar: name of its record.
        recipe: name of the recipe that builds it on the device; None where it is built.
        files: all that belongs to it, without the probe, by the name in the kit.
        probe: what it is tried on.
        unknown: what is not known of it, in sentences.
    """

    artifact: Path
    kind: str
    sidecar: str
    recipe: str | None
    files: Mapping[str, Path]
    probe: Path
    unknown: tuple[str, ...] = ()


def content_of(named: Path) -> Content:
    """Find what belongs to an artifact, and make sure that it is what was exported.

    Args:
        named: the artifact; of an engine that is yet to be built also its typed ONNX file or its recipe; without a
            suffix, what lies there for that device.

    Raises:
        SfscError: it doesn't exist, lacks its sidecar or its probe, one of these isn't what was exported, or it is an
            engine of an earlier export.
    """
    artifact = _artifact(named)
    sidecar = read_sidecar(artifact)
    problems = check_files(artifact, sidecar)
    if problems:
        raise SfscError(f"{artifact} is not what was exported: {' '.join(problems)}", "Export it anew.")
    known = format_of(artifact.suffix)
    assert known is not None
    built = artifact.exists()
    record = sidecar_path(artifact)
    if built and known.kind == "engine":
        refuse_stale(artifact, sidecar)
    files = _parts(artifact) if built else sources_of(artifact)
    return Content(
        artifact,
        known.kind,
        record.name,
        None if built else recipe_of(artifact).name,
        files | {record.name: record},
        _probe(artifact, sidecar),
        unknown_of(artifact, sidecar) if built else (),
    )


def _artifact(named: Path) -> Path:
    found = _candidate(named) if format_of(named.suffix) or named.name.endswith(RECIPE_SUFFIX) else _only(named)
    if found.exists() or (found.suffix == _ENGINE and recipe_of(found).exists()):
        return found
    raise SfscError(f"{named} does not exist.", "Check the path, or export it: sfsc-deploy export --profile ...")


def _candidate(path: Path) -> Path:
    """What runs, of a path that may be what it is built from."""
    if path.name.endswith(RECIPE_SUFFIX):
        return path.with_name(path.name[: -len(RECIPE_SUFFIX)] + _ENGINE)
    return path.with_suffix(_ENGINE) if path.suffix == _ONNX and recipe_of(path).exists() else path


def _only(named: Path) -> Path:
    suffixes = [suffix for known in ARTIFACT_FORMATS.values() for suffix in known.suffixes]
    paths = (named.with_name(named.name + suffix) for suffix in suffixes)
    found = {_candidate(path) for path in paths if path.exists()}
    if len(found) != 1:
        several = f"may be any of {', '.join(sorted(map(str, found)))}" if found else "is no artifact"
        raise SfscError(f"{named} {several}.", f"Give a {known_suffixes()} file.")
    return found.pop()


def _parts(artifact: Path) -> dict[str, Path]:
    """The file, or all files of a package."""
    if artifact.is_file():
        return {artifact.name: artifact}
    inside = sorted(path for path in artifact.rglob("*") if path.is_file())
    return {path.relative_to(artifact.parent).as_posix(): path for path in inside}


def _probe(artifact: Path, sidecar: Sidecar) -> Path:
    probe = artifact.with_name(sidecar.probe.file)
    if not probe.exists():
        raise SfscError(f"{artifact} has no probe: {probe} is missing.", "Copy it along with the artifact.")
    if sha256_of(probe) != sidecar.probe.sha256:
        raise SfscError(
            f"{probe} is not the probe that {artifact} was exported with: its hash differs.",
            "Copy it anew from where the artifact was exported.",
        )
    return probe
