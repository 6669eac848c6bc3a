"""One folder an identity, without splits: they are made by a fixed rule.

Of the identities with two images or more, sorted by name, every third is measured with; all others are trained
on. The images of a measured identity, sorted by name: the first third (at least one) are queries, the others
gallery.
"""

from pathlib import Path

from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.layouts.layout import Layout, Splits
from sfsc_deploy.data.layouts.market_names import cameras_of
from sfsc_deploy.data.listing import image_files, sub_folders


def _matches(root: Path) -> bool:
    return any(True for folder in sub_folders(root) for _ in image_files(folder))


def _read(root: Path) -> Splits:
    images = {folder.name: list(image_files(folder)) for folder in sub_folders(root)}
    measured = [name for name, paths in images.items() if len(paths) >= 2][2::3]
    train = [path for name, paths in images.items() if name not in measured for path in paths]
    query = [path for name in measured for path in images[name][: _queries(images[name])]]
    gallery = [path for name in measured for path in images[name][_queries(images[name]) :]]
    known = cameras_of([*train, *query, *gallery]) is not None
    return Splits(*(_split(paths, known) for paths in (train, query, gallery)))


def _queries(paths: list[Path]) -> int:
    return max(1, len(paths) // 3)


def _split(paths: list[Path], has_cameras: bool) -> Split:
    identity = tuple(path.parent.name for path in paths)
    return Split(tuple(paths), identity, cameras_of(paths) if has_cameras else None)


IDENTITY_FOLDERS = Layout(
    name="identity folders",
    expected="<identity>/*.jpg: every third identity is measured with, the first third of its images as queries",
    matches=_matches,
    read=_read,
)
