"""Splits and the numbering of their identities."""

from pathlib import Path

import numpy as np
import pytest

from image_trees import write_image
from sfsc_deploy.data.dataset import JUNK_IDENTITY, DataSet, Split
from sfsc_deploy.data.images import Preprocessing, read_image
from sfsc_deploy.metrics import JUNK

EMPTY = Split()


def data_set(train: Split = EMPTY, query: Split = EMPTY, gallery: Split = EMPTY) -> DataSet:
    return DataSet("a set", None, train, query, gallery)


def named(*identity: str, camera: tuple[int, ...] | None = None) -> Split:
    return Split(tuple(name.encode() for name in identity), identity, camera)


def test_query_and_gallery_are_numbered_together() -> None:
    query, gallery = data_set(query=named("b", "a"), gallery=named("c", "a", "b", "a")).labels()
    assert query.identity.tolist() == [1, 0]
    assert gallery.identity.tolist() == [2, 0, 1, 0]
    assert query.identity.dtype == gallery.identity.dtype == np.int64


def test_junk_has_its_own_number_and_counts_as_no_identity() -> None:
    gallery = named("a", JUNK_IDENTITY, "b")
    assert gallery.identities == {"a", "b"}
    assert data_set(query=named("b"), gallery=gallery).labels()[1].identity.tolist() == [0, JUNK, 1]


def test_cameras_are_kept() -> None:
    query, gallery = data_set(query=named("a", camera=(3,)), gallery=named("a", "b")).labels()
    assert query.camera is not None
    assert query.camera.tolist() == [3]
    assert gallery.camera is None


def test_training_identities_are_numbered_without_gaps() -> None:
    identity = data_set(train=named("z", "b", "z", "m"), query=named("c"), gallery=named("c")).train_identity()
    assert identity.dtype == np.int64
    assert identity.tolist() == [2, 0, 2, 1]


def test_raw_and_load_take_files_and_bytes_alike(tmp_path: Path) -> None:
    path = write_image(tmp_path / "1.png")
    split = Split((path, path.read_bytes()), ("a", "a"))
    preprocessing = Preprocessing(height=4, width=6)
    assert split.raw(0) == split.raw(1) == path.read_bytes()
    np.testing.assert_array_equal(split.load(preprocessing), [read_image(path, preprocessing)] * 2)


def test_a_split_can_be_cut_down() -> None:
    assert named("a", "b", "c", camera=(1, 2, 3)).keep([2, 0]) == named("c", "a", camera=(3, 1))
    assert named("a", "b").keep([1]) == named("b")


@pytest.mark.parametrize("wrong", [((b"1",), ("a", "b"), None), ((b"1",), ("a",), (1, 2))])
def test_unequal_lengths_are_refused(wrong: tuple[tuple[bytes, ...], tuple[str, ...], tuple[int, ...] | None]) -> None:
    with pytest.raises(ValueError, match="differ in number"):
        Split(*wrong)
