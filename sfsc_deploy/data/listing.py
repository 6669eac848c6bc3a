"""Finding image files in folders, and naming some of many in a message."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"},
)
NAMED = 10


def image_files(folder: Path) -> Iterator[Path]:
    """The images right in a folder, by name; none where there is no such folder.

    Hidden files and those of other suffixes (Thumbs.db, lists, licences) are no images. A broken link is
    one: it is named as unreadable rather than passed over.
    """
    for path in _visible(folder):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir():
            yield path


def sub_folders(folder: Path) -> Iterator[Path]:
    """The folders right in a folder, by name, without hidden ones."""
    return (path for path in _visible(folder) if path.is_dir())


def some_of(names: Iterable[object]) -> str:
    """The first ten names, and how many more there are."""
    names = tuple(names)
    lines = "".join(f"\n  {name}" for name in islice(names, NAMED))
    return lines if len(names) <= NAMED else f"{lines}\n  and {len(names) - NAMED} more"


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
