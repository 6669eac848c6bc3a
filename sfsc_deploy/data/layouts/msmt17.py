"""MSMT17 (Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR 2018).

Four lists say which image is what. `list_train.txt` and `list_val.txt` together are trained on: these are the 32,621
training images that the literature counts. Each query is searched in all of `list_gallery.txt`; matches by the
query's own camera are left out. The second version (faces masked) differs in the names of the two folders.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.layouts.layout import Layout, Splits
from sfsc_deploy.data.layouts.listed_paths import check_listed, leads_out
from sfsc_deploy.errors import SfscError

TRAIN_LISTS = ("list_train.txt", "list_val.txt")
QUERY_LIST, GALLERY_LIST = "list_query.txt", "list_gallery.txt"
LISTS = (*TRAIN_LISTS, QUERY_LIST, GALLERY_LIST)
TRAIN_FOLDERS = ("train", "mask_train_v2")
TEST_FOLDERS = ("test", "mask_test_v2")

_EXAMPLE = "0000/0000_000_01_0303morning_0015_0.jpg 0"
_LINE = re.compile(r"(?P<path>\S(?:.*\S)?)\s+(?P<identity>\d{1,9})")
_NAME = re.compile(r"\d+_\d+_(?P<camera>\d{1,9})_")


class ListedImage(NamedTuple):
    """What a line of a list tells."""

    path: str
    """Relative to the folder of training or of test images."""
    identity: int
    camera: int


def parse_line(line: str) -> ListedImage | None:
    """What a line tells; None where it is no path, ending with a name that tells the camera, and an identity.

    The camera is the third part of the name, between underscores.
    """
    match = _LINE.fullmatch(line.strip())
    name = match and _NAME.match(match["path"].rpartition("/")[2])
    return ListedImage(match["path"], int(match["identity"]), int(name["camera"])) if match and name else None


def _matches(root: Path) -> bool:
    return any((root / name).is_file() for name in LISTS)


def _read(root: Path) -> Splits:
    train, test = _folder(root, TRAIN_FOLDERS), _folder(root, TEST_FOLDERS)
    # Where only a measurement is wanted, the training images may have been left behind.
    trained = _split(root, TRAIN_LISTS, train) if train.is_dir() else Split()
    return Splits(trained, _split(root, (QUERY_LIST,), test), _split(root, (GALLERY_LIST,), test))


def _folder(root: Path, names: tuple[str, ...]) -> Path:
    return next((root / name for name in names if (root / name).is_dir()), root / names[0])


def _split(root: Path, lists: tuple[str, ...], folder: Path) -> Split:
    images = [image for name in lists for image in _images(root / name)]
    paths = tuple(folder / image.path for image in images)
    check_listed(" with ".join(str(root / name) for name in lists), paths, folder)
    # Training and test people are both numbered from 0, and are others.
    identity = tuple(f"{folder.name}/{image.identity:04}" for image in images)
    return Split(paths, identity, tuple(image.camera for image in images))


def _images(file: Path) -> Iterator[ListedImage]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if line.strip():
            yield _image(file, number, line)


def _image(file: Path, number: int, line: str) -> ListedImage:
    image = parse_line(line)
    if image is None:
        raise SfscError(f"{file}, line {number}, reads {line[:120]!r}.", f"A line reads like: {_EXAMPLE}")
    if leads_out(image.path):
        raise SfscError(
            f"{file}, line {number}, has path {image.path}, which leads out of the folder.",
            "Take the list as it was published.",
        )
    return image


def _text(file: Path) -> str:
    if not file.is_file():
        raise SfscError(
            f"{file} is missing: MSMT17 is told by its lists, {', '.join(LISTS)}.",
            "Take it from where the images came from.",
        )
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SfscError(f"{file} is no text: {error}.", "Take the list as it was published.") from None


MSMT17 = Layout(
    name="MSMT17",
    expected=f"{', '.join(LISTS)}, with lines such as {_EXAMPLE}, and the folders "
    f"{TRAIN_FOLDERS[0]}/ and {TEST_FOLDERS[0]}/ (or {TRAIN_FOLDERS[1]}/ and {TEST_FOLDERS[1]}/)",
    matches=_matches,
    read=_read,
)
