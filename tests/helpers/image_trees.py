"""Small data sets on disk."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

SIDE = 8


def write_image(path: Path) -> Path:
    """A small image, another one for each file name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(crc32(path.name.encode())).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_tree(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        write_image(root / name)
    return root


def write_manifest(file: Path, rows: Iterable[Sequence[str]], columns: Sequence[str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([columns, *rows])
    return file


def truncate(path: Path) -> Path:
    """The file without its second half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


SPLIT_TREE = (
    "train/anna/1.png",
    "train/anna/2.png",
    "train/bert/1.png",
    "query/carl/1.png",
    "query/dora/1.png",
    "gallery/carl/2.png",
    "gallery/dora/2.png",
    "gallery/erna/1.png",
)

MARKET_TREE = (
    "bounding_box_train/0002_c1s1_000451_03.jpg",
    "bounding_box_train/0002_c2s1_000452_01.jpg",
    "bounding_box_train/0007_c3s1_000453_02.jpg",
    "bounding_box_train/-1_c3s1_000454_00.jpg",
    "bounding_box_train/0000_c3s1_000455_00.jpg",
    "query/0001_c1s1_001051_00.jpg",
    "bounding_box_test/0001_c1s1_001052_00.jpg",
    "bounding_box_test/0001_c4s1_001053_00.jpg",
    "bounding_box_test/0000_c4s1_001054_00.jpg",
    "bounding_box_test/-1_c5s1_001055_00.jpg",
)

VERI_TREE = (
    "image_train/0001_c001_00016450_0.jpg",
    "image_train/0001_c002_00016460_1.jpg",
    "image_train/0003_c020_00016470_0.jpg",
    "image_query/0002_c002_00030600_0.jpg",
    "image_test/0002_c002_00030605_1.jpg",
    "image_test/0002_c004_00084250_0.jpg",
    "image_test/0005_c003_00084260_0.jpg",
)

MSMT_LISTS = {
    "list_train.txt": ("0000/0000_000_01_0303morning_0015_0.jpg 0", "0001/0001_000_05_0303noon_0020_1.jpg 1"),
    "list_val.txt": ("0000/0000_001_12_0303afternoon_0030_0.jpg 0",),
    "list_query.txt": ("0000/0000_000_03_0303morning_0015_0.jpg 0",),
    "list_gallery.txt": (
        "0000/0000_001_03_0303morning_0016_0.jpg 0",
        "0000/0000_002_14_0303morning_0017_0.jpg 0",
        "0002/0002_000_01_0303morning_0018_0.jpg 2",
    ),
}


def write_msmt17(
    root: Path, lists: Mapping[str, Sequence[str]] = MSMT_LISTS, folders: tuple[str, str] = ("train", "test")
) -> Path:
    """A miniature of MSMT17, with the images that the lists name."""
    for name, lines in lists.items():
        folder = root / folders[name not in ("list_train.txt", "list_val.txt")]
        write_tree(folder, [line.rpartition(" ")[0] for line in lines])
        (root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return root
