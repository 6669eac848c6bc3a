"""Paths that a list of images gives: they stay inside of the data set, exist, and come once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from sfsc_deploy.data.listing import some_of
from sfsc_deploy.errors import SfscError


def leads_out(path: str) -> bool:
    """Whether a listed path could lead out of the folder that it is relative to.

    A list may come from elsewhere and be read here: both systems' ways out of a folder are told.
    """
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    return posix.is_absolute() or bool(windows.anchor) or ".." in windows.parts


def check_listed(lists: str, paths: Sequence[Path], folder: Path) -> None:
    """Refuse lists that name an image twice, or one that isn't there.

    Args:
        lists: the file or files, for the message.
        paths: what they list.
        folder: that the paths are relative to.

    Raises:
        SfscError: as told; the images are named.
    """
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise SfscError(f"{lists} lists images twice:{some_of(twice)}", "List each image once.")
    absent = [path for path in paths if not path.is_file()]
    if absent:
        raise SfscError(
            f"{lists} lists {len(absent)} images that don't exist:{some_of(absent)}",
            f"Paths are relative to {folder}.",
        )
