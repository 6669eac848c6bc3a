"""Opening a data set whatever its layout."""

from dataclasses import replace
from pathlib import Path

from sfsc_deploy.data.checks import check_measurable, check_trainable, without_unreadable
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.data.drawn.robots import drawn_set
from sfsc_deploy.data.layouts.csv_manifest import CSV_MANIFEST
from sfsc_deploy.data.layouts.identity_folders import IDENTITY_FOLDERS
from sfsc_deploy.data.layouts.layout import Layout
from sfsc_deploy.data.layouts.market1501 import MARKET1501
from sfsc_deploy.data.layouts.msmt17 import MSMT17
from sfsc_deploy.data.layouts.split_folders import SPLIT_FOLDERS
from sfsc_deploy.data.layouts.veri776 import VERI776
from sfsc_deploy.data.listing import sub_folders
from sfsc_deploy.errors import SfscError

LAYOUTS: tuple[Layout, ...] = (CSV_MANIFEST, MARKET1501, VERI776, SPLIT_FOLDERS, MSMT17, IDENTITY_FOLDERS)
"""In the order in which they are tried: the first that matches is read."""


def expected_layouts() -> str:
    """The layouts that can be opened, one a line."""
    width = max(len(layout.name) for layout in LAYOUTS)
    return "\n".join(f"  {layout.name:<{width}}  {layout.expected}" for layout in LAYOUTS)


def open_dataset(
    root: Path | None, *, skip_unreadable: bool = False, check_images: bool = True, with_train: bool = True
) -> DataSet:
    """Open a data set and make sure that it can be used.

    Args:
        root: a folder of one of the `expected_layouts`, or a CSV file; None for the drawn set.
        skip_unreadable: leave unreadable images out (`DataSet.skipped`) instead of refusing the set.
        check_images: decode each image once, to find the unreadable ones before anything starts.
        with_train: False where only retrieval is measured: then training images may be absent, and are left out.

    Raises:
        SfscError: no such folder, an unknown layout, too few identities, queries without a match, unreadable
            images.
    """
    if root is None:
        return drawn_set()
    data = _read(root)
    if not with_train:
        data = replace(data, train=Split())
    _check_usable(data, with_train)
    if check_images or skip_unreadable:
        data = without_unreadable(data, skip=skip_unreadable)
        _check_usable(data, with_train)
    return data


def _check_usable(data: DataSet, with_train: bool) -> None:
    if with_train:
        check_trainable(data)
    check_measurable(data)


def _read(root: Path) -> DataSet:
    try:
        splits = _layout_of(root).read(root)
    except OSError as error:
        raise SfscError(
            f"{error.filename or root} can't be read: {error.strerror}.", "Check its permissions."
        ) from None
    return DataSet(root.resolve().stem if root.is_file() else root.resolve().name, root, *splits)


def _layout_of(root: Path) -> Layout:
    if not root.exists():
        raise SfscError(f"{root} doesn't exist.", "Check the path of the images.")
    layout = _matching(root)
    if layout is None:
        is_empty = root.is_dir() and not any(root.iterdir())
        found = "is empty" if is_empty else "holds no data set that is known here"
        raise SfscError(f"{root} {found}. Expected is one of:\n{expected_layouts()}", _nearby(root))
    return layout


def _matching(root: Path) -> Layout | None:
    return next((layout for layout in LAYOUTS if layout.matches(root)), None)


def _nearby(root: Path) -> str:
    """A guess: unpacked archives often put the data set one folder deeper."""
    inside = [folder for folder in sub_folders(root) if _matching(folder)]
    return f"Did you mean {inside[0]}?" if len(inside) == 1 else "Arrange the images in one of these ways."
