"""A folder for each split, and in it a folder for each identity."""

from pathlib import Path

from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.layouts.layout import Layout, Splits
from sfsc_deploy.data.layouts.market_names import cameras_of
from sfsc_deploy.data.listing import image_files, sub_folders


def _matches(root: Path) -> bool:
    # One of the names alone might be an identity's: a set of toys may well have a train.
    return sum((root / name).is_dir() for name in Splits._fields) >= 2


def _read(root: Path) -> Splits:
    """Cameras are known if the names of all files tell them."""
    files = [[path for folder in sub_folders(root / name) for path in image_files(folder)] for name in Splits._fields]
    cameras = [cameras_of(paths) for paths in files]
    known = None not in cameras
    return Splits(*(_split(paths, camera if known else None) for paths, camera in zip(files, cameras, strict=True)))


def _split(paths: list[Path], camera: tuple[int, ...] | None) -> Split:
    return Split(tuple(paths), tuple(path.parent.name for path in paths), camera)


SPLIT_FOLDERS = Layout(
    name="folders",
    expected="train/<identity>/*.jpg, query/<identity>/*.jpg, gallery/<identity>/*.jpg",
    matches=_matches,
    read=_read,
)
