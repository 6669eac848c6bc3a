"""What a layout is: a way to store a data set, known by the names of its files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sfsc_deploy.data.dataset import Split


class Splits(NamedTuple):
    """The three parts of a data set; empty ones where the images are missing."""

    train: Split
    query: Split
    gallery: Split


@dataclass(frozen=True)
class Layout:
    """One way to store a data set.

    Attributes:
        name: for people.
        expected: what it looks like, in one line.
        matches: whether a path holds a data set of this layout, judged by names alone.
        read: lists the images and their labels; opens no image. Raises SfscError for what breaks its rules.
    """

    name: str
    expected: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Splits]
