"""Writing files whole or not at all, and telling them apart by their hash."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfsc_deploy.errors import SfscError

_CHUNK = 1 << 20
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_BELOW = 1 << 20  # bytes left on a disk that no write of ours fits on any more


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let the caller write a file or a folder beside `path`, and rename it to `path` when all went well.

    Whoever reads `path` sees the old content or the new one, never a part. Missing parent folders are made.
    What stood at `path` is replaced: whether that is wanted, the caller asks before.

    Args:
        path: where the file or folder is to end up.

    Yields:
        A path in the same folder, with the same suffix, that doesn't exist yet.

    Raises:
        SfscError: the disk is full or `path` can't be written; nothing is left behind.
    """
    partial = _sibling(path, "partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        move_onto(partial, path)
    except Exception as error:
        reason = _reason(error, path)
        if reason is None:
            raise
        raise reason from error
    finally:
        _remove(partial)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all (see `replacing`)."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def refuse_unwritable(path: Path, *, folder: bool = False) -> None:
    """Find before long work whether its result can be written at all.

    Args:
        path: where it is to end up.
        folder: whether it is a folder, rather than a file.

    Raises:
        SfscError: something of another kind lies there, a part of the path is a file, or the right to write is missing.
    """
    if path.exists() and path.is_dir() is not folder:
        kinds = ("a file", "a folder") if folder else ("a folder", "a file")
        raise SfscError(f"{path} is {kinds[0]}, not {kinds[1]}.", "Choose another place to write to.")
    nearest = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if nearest != path.absolute() and not nearest.is_dir():
        raise SfscError(f"{path} can't be written: {nearest} is a file, not a folder.", "Choose another place.")
    if not os.access(nearest if nearest.is_dir() else nearest.parent, os.W_OK):
        raise SfscError(f"{path} can't be written: you have no right to write in {nearest}.", "Choose another place.")


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes or of a folder's files, in hex.

    A folder's hash covers the relative name and the bytes of every file in it, in the order of their names;
    empty folders, times and permissions don't count.

    Raises:
        SfscError: `path` doesn't exist or can't be read.
    """
    try:
        return _folder_sha256(path) if path.is_dir() else _file_sha256(path)
    except OSError as error:
        raise SfscError(f"{path} can't be read: {error.strerror}.", "Check the path.") from error


def size_of(path: Path) -> int:
    """Bytes in a file, or in all files of a folder."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def move_onto(source: Path, path: Path) -> None:
    """Rename a file or folder to `path` on the same disk, where one of its kind is replaced."""
    if not (source.is_dir() and path.is_dir()):
        source.replace(path)
        return
    # A folder can't be renamed onto a full one: the old one steps aside, and comes back if that fails.
    old = path.rename(_sibling(path, "replaced"))
    try:
        source.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _folder_sha256(folder: Path) -> str:
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        digest.update(f"{name}\0{_file_sha256(file)}\n".encode())
    return digest.hexdigest()


def _sibling(path: Path, state: str) -> Path:
    return path.with_name(f".{state}-{secrets.token_hex(4)}-{path.name}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        path.unlink()


def _reason(error: Exception, path: Path) -> SfscError | None:
    """The error for the person at the keyboard, or None where the error isn't about writing `path`."""
    if _is_full(error, path.parent):
        return SfscError(
            f"{path} couldn't be written: the disk is full.",
            "Free some space first; a training run goes on with --resume.",
        )
    if isinstance(error, OSError) and _concerns(error, path):
        return SfscError(f"{path} couldn't be written: {error.strerror}.", "Choose another place to write to.")
    return None


def _is_full(error: Exception, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return True
    # Libraries that write by themselves report a full disk in words of their own, so ask the disk.
    return not isinstance(error, SfscError) and folder.is_dir() and shutil.disk_usage(folder).free < _FULL_BELOW


def _concerns(error: OSError, path: Path) -> bool:
    """Whether writing failed at `path`: a file missing elsewhere, or never written, is another matter."""
    if error.filename is None or isinstance(error, FileNotFoundError):
        return False
    place = Path(str(error.filename))
    return place == path or place in path.parents or place.parent == path.parent
