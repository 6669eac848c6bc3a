"""File names that tell identity and camera, as Market-1501 introduced them: `0002_c1s1_000451_03.jpg`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.listing import image_files, some_of
from sfsc_deploy.errors import SfscError

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


def named_files(folder: Path, example: str) -> list[tuple[Path, MarketName]]:
    """The images right in a folder, with what their names tell.

    Args:
        folder: may be absent: then there are none.
        example: how a name should read, for the message.

    Raises:
        SfscError: names that tell nothing; they are named.
    """
    names = {path: parse_name(path) for path in image_files(folder)}
    strange = [path.name for path, name in names.items() if name is None]
    if strange:
        raise SfscError(
            f"{len(strange)} names in {folder} tell no identity and camera:{some_of(strange)}",
            f"Name them as {example}.",
        )
    return [(path, name) for path, name in names.items() if name]


def named_split(named: Iterable[tuple[Path, MarketName]]) -> Split:
    """A split with identities and cameras as the names tell them."""
    named = tuple(named)
    return Split(
        sources=tuple(path for path, _ in named),
        identity=tuple(name.identity for _, name in named),
        camera=tuple(name.camera for _, name in named),
    )
