"""What a folder says of an export that was stopped: which artifacts are still to be written, and by which command.

The note is written before the first artifact and goes with the last one, so that a folder never passes for whole
because what it lacks left no trace.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from exporters.build_recipe import RECIPE_SUFFIX
from sfsc_deploy.artifact import FileName, Sha256
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import write_text
from sfsc_deploy.formats import ARTIFACT_FORMATS
from sfsc_deploy.parsing import parse_json

NOTE = "export.unfinished"
"""Name of the note; a folder without one holds all that was meant to be there."""
_SUFFIXES = (RECIPE_SUFFIX, *(suffix for known in ARTIFACT_FORMATS.values() for suffix in known.suffixes))


class Meant(BaseModel):
    """An artifact that an unfinished export means to write, or has written already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Sha256
    """Of all that decides what is written: an export with others can't go on with this one."""
    command: str
    """That completes it."""
    written: bool = False


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    artifacts: dict[FileName, Meant]


@dataclass(frozen=True)
class Note:
    """The note of a folder.

    Attributes:
        folder: of the artifacts.
        artifacts: those that are meant to be there when the export is finished, by the name of the file; empty where
            nothing is left to be done.
    """

    folder: Path
    artifacts: Mapping[str, Meant]

    @classmethod
    def of(cls, folder: Path) -> "Note":
        """What a folder says, whether it exists or not.

        Raises:
            SfscError: the note is damaged.
        """
        file = folder / NOTE
        if not file.is_file():
            return cls(folder, {})
        remedy = "Export into another folder, or remove this file and export all of them again with --overwrite."
        return cls(folder, parse_json(_Content, file.read_bytes(), file, remedy).artifacts)

    @property
    def pending(self) -> Mapping[str, Meant]:
        """What is still to be written."""
        return {name: meant for name, meant in self.artifacts.items() if not meant.written}

    def command_for(self, name: str) -> str | None:
        """What completes the artifact that a file belongs to; None where that isn't pending.

        Args:
            name: of an artifact, of what an engine is built from, or without a suffix.
        """
        device = _device(name)
        return next((meant.command for other, meant in self.pending.items() if _device(other) == device), None)

    def with_all(self, meant: Mapping[str, Meant]) -> "Note":
        """The same with these artifacts in the place of what was meant under their names."""
        return Note(self.folder, {**self.artifacts, **meant})

    def without(self, name: str) -> "Note":
        """The same without an artifact that nobody means to write any more."""
        return Note(self.folder, {other: meant for other, meant in self.artifacts.items() if other != name})

    def with_written(self, name: str) -> "Note":
        """The same once an artifact is whole."""
        return self.with_all({name: self.artifacts[name].model_copy(update={"written": True})})

    def save(self) -> None:
        """Put it into the folder, or take it away where nothing is pending."""
        if self.pending:
            write_text(self.folder / NOTE, _Content(artifacts=dict(self.artifacts)).model_dump_json(indent=2) + "\n")
        else:
            (self.folder / NOTE).unlink(missing_ok=True)


def refuse_pending(artifact: Path) -> None:
    """Make sure that an artifact isn't still to be written: what lies in its place is of an earlier export.

    Args:
        artifact: itself or what it is built from, there or not.

    Raises:
        SfscError: it is; gives the command that goes on.
    """
    command = Note.of(artifact.parent).command_for(artifact.name)
    if command is not None:
        raise SfscError(
            f"{artifact} is still to be written: the export that was to do so was stopped before, as {NOTE} in its "
            "folder says.",
            f"Go on with: {command}; or, to have what lies there, remove that file.",
        )


def _device(name: str) -> str:
    """What the files of one device have in common: all but the suffix."""
    return name.removesuffix(next(filter(name.endswith, _SUFFIXES), ""))
