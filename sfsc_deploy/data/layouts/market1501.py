"""Market-1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015), as it is published."""

from pathlib import Path

from sfsc_deploy.data.dataset import JUNK_IDENTITY
from sfsc_deploy.data.layouts.layout import Layout, Splits
from sfsc_deploy.data.layouts.market_names import MarketName, named_files, named_split

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
JUNK = "-1"
DISTRACTOR = "0000"

_EXAMPLE = "Market-1501 does: 0002_c1s1_000451_03.jpg is identity 0002 by camera 1"


def _matches(root: Path) -> bool:
    return (root / TRAIN).is_dir() or (root / GALLERY).is_dir()


def _read(root: Path) -> Splits:
    """Junk and distractors stay in the gallery: junk is left out when measuring, distractors count as wrong."""
    gallery = [(path, _without_junk(name)) for path, name in named_files(root / GALLERY, _EXAMPLE)]
    return Splits(named_split(_people(root / TRAIN)), named_split(_people(root / QUERY)), named_split(gallery))


def _people(folder: Path) -> list[tuple[Path, MarketName]]:
    named = named_files(folder, _EXAMPLE)
    return [(path, name) for path, name in named if name.identity not in (JUNK, DISTRACTOR)]


def _without_junk(name: MarketName) -> MarketName:
    return name._replace(identity=JUNK_IDENTITY) if name.identity == JUNK else name


MARKET1501 = Layout(
    name="Market-1501",
    expected=f"{TRAIN}/0002_c1s1_000451_03.jpg, and the like in {QUERY}/ and {GALLERY}/",
    matches=_matches,
    read=_read,
)
