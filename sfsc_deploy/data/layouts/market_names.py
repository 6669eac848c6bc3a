"""File names that tell identity and camera, as Market-1501 introduced them: `0002_c1s1_000451_03.jpg`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# DukeMTMC-reID (0001_c2_f0046182.jpg) and VeRi-776 (0001_c001_00016450_0.jpg) name their files alike.
_NAME = re.compile(r"(?P<identity>-1|\d+)_c(?P<camera>\d{1,9})(s\d+)?_")


class MarketName(NamedTuple):
    """What a file name tells: the identity as written, and the number of the camera."""

    identity: str
    camera: int


def parse_name(path: Path) -> MarketName | None:
    """What the name of the file tells; None where it follows another pattern."""
    match = _NAME.match(path.name)
    return MarketName(match["identity"], int(match["camera"])) if match else None


def cameras_of(paths: Iterable[Path]) -> tuple[int, ...] | None:
    """The cameras of all files; None where any of the names doesn't tell."""
    names = [parse_name(path) for path in paths]
    cameras = tuple(name.camera for name in names if name)
    return cameras if len(cameras) == len(names) else None
