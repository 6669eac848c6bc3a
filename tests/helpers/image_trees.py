"""Small data sets on disk."""

import csv
from collections.abc import Iterable, Sequence
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
