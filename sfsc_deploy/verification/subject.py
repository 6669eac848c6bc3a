"""What the user gave to be verified, and what can be told of it without running it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from exporters.build_recipe import recipe_of
from sfsc_deploy.artifact import Description, Sidecar, read_sidecar, sidecar_path
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.formats import ARTIFACT_FORMATS, ArtifactFormat, known_suffixes
from sfsc_deploy.run_folder import RunFolder, parse
from sfsc_deploy.unfinished import Note

if TYPE_CHECKING:
    from sfsc_deploy.runtime.recorded import RecordedEmbedder, Recording

KINDS: Mapping[str, str] = {
    **{suffix: known.kind for known in ARTIFACT_FORMATS.values() for suffix in known.suffixes},
    ".safetensors": "recorded",
}
"""What a path with a suffix is; a run folder, of kind "run", has none of these."""
FORMAT_OF: Mapping[str, str] = {known.kind: name for name, known in ARTIFACT_FORMATS.items()}
"""The format that the sidecar of an artifact of each kind tells."""


@dataclass(frozen=True)
class SubModel:
    """Which network it is: what is made of equal ones differs by its precision and backend alone.

    Attributes:
        space: id of its embedding space.
        width: width multiplier.
        batch_norms: hash of the images that its batch norms were recalibrated on; None where the width was trained.
    """

    space: str
    width: float
    batch_norms: str | None = None


@dataclass(frozen=True)
class Facts:
    """What a subject claims to be; `dim` is D, `width` the width multiplier, `profile` its device's.

    `batch_norms` is as of `SubModel`.
    """

    space: str
    width: float
    precision: str
    dim: int
    preprocessing: Preprocessing
    profile: str | None = None
    batch_norms: str | None = None

    @property
    def sub_model(self) -> SubModel:
        """The network that it is made of."""
        return SubModel(self.space, self.width, self.batch_norms)

    @classmethod
    def of(cls, described: Description) -> "Facts":
        """The claims of a sidecar, or of what is embedded in the artifact."""
        name = described.profile.get("name")
        return cls(
            described.space,
            described.width,
            described.precision,
            described.dim,
            described.input.preprocessing,
            name if isinstance(name, str) else None,
            described.untrained.batch_norms.sha256 if described.untrained else None,
        )

    @classmethod
    def of_run(cls, run: RunFolder, width: float) -> "Facts":
        """What the reference of a run is."""
        return cls(run.space, width, "float32", run.dim, run.preprocessing)


@dataclass(frozen=True)
class Subject:
    """One argument of `verify-compat`.

    Attributes:
        name: as the user wrote it.
        path: the file or folder.
        kind: what it is, told from its suffix.
        sidecar: the record beside it (of recorded embeddings: the one they carry).
        sidecar_problem: why there is a sidecar that cannot be used.
        facts: what it claims to be; None where that is not known before it is opened.
        completed_by: the command that goes on with the export that was stopped before this, or what was recorded, was
            written; None where it is whole, as far as its folder says.
    """

    name: str
    path: Path
    kind: str
    sidecar: Sidecar | None = None
    sidecar_problem: str | None = None
    facts: Facts | None = None
    completed_by: str | None = None

    @property
    def format(self) -> ArtifactFormat | None:
        """What is known of artifacts like it; None of run folders and recorded embeddings, which are none."""
        return ARTIFACT_FORMATS.get(FORMAT_OF.get(self.kind, ""))

    @property
    def is_built(self) -> bool:
        """Whether the artifact itself exists, rather than only what it is to be built from."""
        return self.path.exists()


def find_subjects(names: Sequence[str], least: int = 2) -> tuple[Subject, ...]:
    """Find what the user named, `least` or more.

    Raises:
        SfscError: fewer, one of them twice, or one that doesn't exist or is of no known kind.
    """
    if len(names) < least:
        raise SfscError(
            f"Compatibility is a matter of at least two artifacts, {len(names)} given.",
            "For instance: sfsc-deploy verify-compat a.onnx b.onnx, or a.onnx and the run folder it came from.",
        )
    subjects = tuple(_find(name) for name in names)
    _refuse_repeated(subjects)
    return subjects


def _refuse_repeated(subjects: Sequence[Subject]) -> None:
    seen: dict[tuple[Path, float | None], str] = {}
    for subject in subjects:
        width = subject.facts.width if subject.kind == "run" and subject.facts else None
        place = subject.path.resolve(), width
        if place in seen:
            raise SfscError(
                f"{seen[place]} and {subject.name} are the same: it would only be compared with itself.",
                "Name each artifact once.",
            )
        seen[place] = subject.name


def _find(name: str) -> Subject:
    path = Path(name)
    kind = KINDS.get(path.suffix)
    if kind is None:
        return _find_run(name)
    if kind == "recorded":
        return _find_recorded(name, path)
    if kind in FORMAT_OF and (command := Note.of(path.parent).command_for(path.name)):
        return Subject(name, path, kind, completed_by=command)
    may_be_absent = ARTIFACT_FORMATS[FORMAT_OF[kind]].left_to_device and _can_be_built(path)
    if not path.exists() and not may_be_absent:
        raise SfscError(f"{name} does not exist.", "Check the path, or export it: sfsc-deploy export --profile ...")
    return _find_artifact(name, path, kind)


def _can_be_built(path: Path) -> bool:
    return sidecar_path(path).exists() or (path.with_suffix(".onnx").exists() and recipe_of(path).exists())


def _find_artifact(name: str, path: Path, kind: str) -> Subject:
    if not sidecar_path(path).exists():
        return Subject(name, path, kind)
    try:
        sidecar = read_sidecar(path)
    except SfscError as error:
        return Subject(name, path, kind, sidecar_problem=error.message)
    return Subject(name, path, kind, sidecar, facts=Facts.of(sidecar))


def _find_run(name: str) -> Subject:
    folder, asked = parse(name)
    if not folder.is_dir():
        what = "is neither an artifact nor a run folder" if folder.exists() else "does not exist"
        raise SfscError(
            f"{name} {what}.",
            f"Give {known_suffixes()} files, run folders (runs/NAME or runs/NAME@WIDTH), or recorded embeddings "
            "(.safetensors).",
        )
    run = RunFolder.open(folder)
    return Subject(name, folder, "run", facts=Facts.of_run(run, run.width(asked)))


def _find_recorded(name: str, path: Path) -> Subject:
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    if not path.exists():
        raise SfscError(f"{name} does not exist.", "Record it: sfsc-deploy embed ARTIFACT --out FILE.safetensors")
    try:
        with RecordedEmbedder(path) as recorded:
            command = _pending_with(recorded.recording, path.parent)
            return Subject(name, path, "recorded", recorded.sidecar, None, recorded_facts(recorded), command)
    except SfscError:
        return Subject(name, path, "recorded")  # opening it again tells what is wrong with it


def _pending_with(recording: "Recording", folder: Path) -> str | None:
    """The command that completes what ran, where that is still to be written: it was of an earlier export."""
    ran = artifact_name(recording)
    return Note.of(folder).command_for(ran) if KINDS.get(Path(ran).suffix) in FORMAT_OF else None


def artifact_name(recording: "Recording") -> str:
    """The name of what ran, without the folders of its device."""
    return PureWindowsPath(recording.artifact).name  # both / and \ separate


def recorded_facts(recorded: "RecordedEmbedder") -> Facts | None:
    """What recorded embeddings claim to be; None where neither a sidecar nor the name of a run folder tells."""
    if recorded.sidecar is not None:
        return Facts.of(recorded.sidecar)
    width = _width_of_run(recorded.recording.artifact)
    if width is None or not 0 < width <= 1 or recorded.space is None or recorded.preprocessing is None:
        return None  # neither an artifact with a sidecar nor a run folder
    return Facts(recorded.space, width, "float32", recorded.dim, recorded.preprocessing)


def _width_of_run(name: str) -> float | None:
    """The width in the name of a run folder; None where it is none, as of an artifact below a folder with an @."""
    try:
        return parse(name)[1]
    except SfscError:
        return None
