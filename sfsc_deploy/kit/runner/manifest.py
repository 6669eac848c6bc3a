"""What a kit says it holds, and whether it does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of

MANIFEST = "kit.json"
_ANEW = "Unpack the kit anew, into an empty folder."


@dataclass(frozen=True)
class Entry:
    """One artifact to run.

    Attributes:
        path: what runs; an engine that is yet to be built isn't there.
        kind: as `sfsc_deploy.formats` calls it.
        sidecar: its record, as JSON.
        recipe: of an engine that is built here first, as JSON; None where nothing is to be built.
        recording: name of the file that what it embeds is written to.
    """

    path: Path
    kind: str
    sidecar: Mapping[str, Any]
    recipe: Mapping[str, Any] | None
    recording: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name


@dataclass(frozen=True)
class Kit:
    """An unpacked kit whose files all have the hashes that it names.

    Attributes:
        folder: where it lies.
        probe: the file with the images.
        artifacts: what to run.
    """

    folder: Path
    probe: Path
    artifacts: tuple[Entry, ...]


def open_kit(folder: Path) -> Kit:
    """Read the manifest of the kit that was unpacked into `folder`, and compare every file with its hash.

    Raises:
        SfscError: it is no kit, a file is missing or is another one, or something is to be used that has no hash.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {str(name): str(digest) for name, digest in manifest["files"].items()}
        _check(folder, files)
        return Kit(
            folder,
            folder / _hashed(manifest["probe"], files),
            tuple(_entry(folder, entry, files) for entry in manifest["artifacts"]),
        )
    except OSError as error:
        raise SfscError(f"{error.filename or folder} can't be read: {error.strerror}.", _ANEW) from None
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SfscError(f"{folder / MANIFEST} is not the manifest of a kit: {error}.", _ANEW) from None


def _check(folder: Path, files: Mapping[str, str]) -> None:
    for name in files:
        _refuse_elsewhere(folder, name)
    wrong = [name for name, digest in files.items() if _hash_of(folder / name) != digest]
    if wrong:
        raise SfscError(f"Not what was packed: {', '.join(wrong)}. Nothing was run.", _ANEW)


def _refuse_elsewhere(folder: Path, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise ValueError(f"{name!r} is no path inside of it")
    if folder.resolve() not in (folder / name).resolve().parents:
        raise ValueError(f"{name!r} leads elsewhere")


def _entry(folder: Path, entry: Mapping[str, Any], files: Mapping[str, str]) -> Entry:
    sidecar = json.loads((folder / _hashed(entry["sidecar"], files)).read_text(encoding="utf-8"))
    recipe = entry["recipe"]
    if recipe is not None:
        recipe = json.loads((folder / _hashed(recipe, files)).read_text(encoding="utf-8"))
        _hashed(recipe["onnx"], files)
    name = str(entry["file"])
    _refuse_elsewhere(folder, name)
    path = folder / name
    if recipe is None:
        _check_built(path, sidecar, files)
    recording = str(entry["recording"])
    if PurePosixPath(recording).name != recording:
        raise ValueError(f"{recording!r} is no name of a file")
    _refuse_elsewhere(folder, recording)
    return Entry(path, str(entry["kind"]), sidecar, recipe, recording)


def _check_built(path: Path, sidecar: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Compare what is to run with its sidecar; that of an engine that was built by hand doesn't know it."""
    if sidecar["build"]["status"] != "built" and path.name not in sidecar["files"]:
        _hashed(path.name, files)
    elif _hash_of(path) != sidecar["files"][path.name]:
        raise SfscError(f"{path.name} is not what its sidecar describes. Nothing was run.", _ANEW)


def _hashed(name: str, files: Mapping[str, str]) -> str:
    if name not in files:
        raise ValueError(f"it has no hash of {name!r}")
    return name


def _hash_of(path: Path) -> str:
    """As `sha256_of`; what can't be read is mended by the kit, not by another path."""
    try:
        return sha256_of(path)
    except SfscError as error:
        raise SfscError(error.message, _ANEW) from None
