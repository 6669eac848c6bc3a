"""VeRi-776 (Liu et al., Large-scale Vehicle Re-identification in Urban Surveillance Videos, ICME 2016), as published.

Each query is searched in all of `image_test`; matches by the query's own camera are left out. There are neither
junk images nor distractors. What else lies in the folder (labels of colour and type, lists of names) isn't read.
"""

from pathlib import Path

from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.layouts.layout import Layout, Splits
from sfsc_deploy.data.layouts.market_names import named_files, named_split

TRAIN, QUERY, GALLERY = "image_train", "image_query", "image_test"

_EXAMPLE = "VeRi-776 does: 0001_c001_00016450_0.jpg is vehicle 0001 by camera 1"


def _matches(root: Path) -> bool:
    return (root / QUERY).is_dir() and (root / GALLERY).is_dir()


def _read(root: Path) -> Splits:
    return Splits(*(_split(root / folder) for folder in (TRAIN, QUERY, GALLERY)))


def _split(folder: Path) -> Split:
    return named_split(named_files(folder, _EXAMPLE))


VERI776 = Layout(
    name="VeRi-776",
    expected=f"{TRAIN}/0001_c001_00016450_0.jpg, and the like in {QUERY}/ and {GALLERY}/",
    matches=_matches,
    read=_read,
)
