"""Market-1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015), as it is published."""

from collections.abc import Iterator
from pathlib import Path

from sfsc_deploy.data.dataset import JUNK_IDENTITY, Split
from sfsc_deploy.data.layouts.layout import Layout, Splits
from sfsc_deploy.data.layouts.market_names import MarketName, parse_name
from sfsc_deploy.data.listing import image_files, some_of
from sfsc_deploy.errors import SfscError

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
JUNK = "-1"
DISTRACTOR = "0000"


def _matches(root: Path) -> bool:
    return (root / TRAIN).is_dir() or (root / GALLERY).is_dir()


def _read(root: Path) -> Splits:
    """Junk and distractors stay in the gallery: junk is left out when measuring, distractors count as wrong."""
    gallery = [(path, _without_junk(name)) for path, name in _named(root / GALLERY)]
    return Splits(_split(_people(root / TRAIN)), _split(_people(root / QUERY)), _split(gallery))


def _people(folder: Path) -> list[tuple[Path, MarketName]]:
    return [(path, name) for path, name in _named(folder) if name.identity not in (JUNK, DISTRACTOR)]


def _without_junk(name: MarketName) -> MarketName:
    return name._replace(identity=JUNK_IDENTITY) if name.identity == JUNK else name


def _named(folder: Path) -> Iterator[tuple[Path, MarketName]]:
    names = {path: parse_name(path) for path in image_files(folder)}
    strange = [path.name for path, name in names.items() if name is None]
    if strange:
        raise SfscError(
            f"{len(strange)} names in {folder} tell no identity and camera:{some_of(strange)}",
            "Name them as Market-1501 does: 0002_c1s1_000451_03.jpg is identity 0002 by camera 1.",
        )
    return ((path, name) for path, name in names.items() if name)


def _split(named: list[tuple[Path, MarketName]]) -> Split:
    return Split(
        sources=tuple(path for path, _ in named),
        identity=tuple(name.identity for _, name in named),
        camera=tuple(name.camera for _, name in named),
    )


MARKET1501 = Layout(
    name="Market-1501",
    expected=f"{TRAIN}/0002_c1s1_000451_03.jpg, and the like in {QUERY}/ and {GALLERY}/",
    matches=_matches,
    read=_read,
)
