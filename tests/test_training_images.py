"""Training images in memory and decoded ahead: the same to whoever trains on them."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from image_trees import SPLIT_TREE, truncate, write_tree
from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.training import images as module
from sfsc_deploy.training.images import AHEAD, LostImageError, ReadAhead, digest_of, training_images
from trainer.images import LabelledImages

SIZE = Preprocessing(height=6, width=5)
IMAGES = [f"train/{name}/{number}.png" for name in "abcd" for number in range(5)]


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    return open_dataset(write_tree(tmp_path, [*SPLIT_TREE[3:], *IMAGES]))


def batches(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, len(IMAGES), 7) for _ in range(count)]


@pytest.mark.parametrize("workers", [1, 3])
def test_whoever_decodes_gives_the_same_batches(data: DataSet, workers: int) -> None:
    order = batches(3 * AHEAD)
    with training_images(data, SIZE, 0) as kept, training_images(data, SIZE, workers) as ahead:
        assert isinstance(kept, LabelledImages)
        assert isinstance(ahead, ReadAhead)
        ahead.expect(iter(order))
        for batch in order:
            np.testing.assert_array_equal(ahead.read(batch), kept.read(batch))
        assert (kept.digest, kept.mean, kept.std) == (ahead.digest, ahead.mean, ahead.std)
        assert kept.identity.tolist() == ahead.identity.tolist() == [n for n in range(4) for _ in range(5)]


def test_batches_that_nobody_announced_are_read_too(data: DataSet) -> None:
    announced, surprise = batches(2), np.array([3, 1])
    with training_images(data, SIZE, 0) as kept, training_images(data, SIZE, 1) as ahead:
        np.testing.assert_array_equal(ahead.read(surprise), kept.read(surprise))
        ahead.expect(announced)
        for batch in (announced[0], surprise, announced[1]):
            np.testing.assert_array_equal(ahead.read(batch), kept.read(batch))


def test_no_more_than_the_next_batches_are_decoded(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for batch in batches(10 * AHEAD):
            taken += 1
            yield batch

    with training_images(data, SIZE, 2) as ahead:
        ahead.expect(counted())
        assert taken == AHEAD
        for done, batch in enumerate(batches(10 * AHEAD), start=1):
            ahead.read(batch)
            assert taken == min(done + AHEAD, 10 * AHEAD)


@pytest.mark.parametrize("budget", [0, -1])
def test_what_fits_is_kept_in_memory_unasked(data: DataSet, monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", len(IMAGES) * 6 * 5 * 3 + budget)
    with training_images(data, SIZE, None) as images:
        assert isinstance(images, LabelledImages) == (budget == 0)
    with training_images(data, SIZE, 0) as images:
        assert isinstance(images, LabelledImages)


def test_a_lost_image_is_named_when_its_batch_is_due(data: DataSet, tmp_path: Path) -> None:
    lost = truncate(tmp_path / IMAGES[7])
    with training_images(data, SIZE, 2) as ahead:
        ahead.expect([np.array([0, 1]), np.array([6, 7])])
        ahead.read(np.array([0, 1]))
        with pytest.raises(LostImageError, match=str(lost)):
            ahead.read(np.array([6, 7]))


def test_no_thread_outlives_the_training(data: DataSet) -> None:
    with training_images(data, SIZE, 2) as ahead:
        ahead.expect(batches(9))
        assert any(thread.name.startswith("decoding") for thread in threading.enumerate())
    assert not any(thread.name.startswith("decoding") for thread in threading.enumerate())


def test_the_digest_tells_contents_identities_order_and_size(data: DataSet, tmp_path: Path) -> None:
    train = data.train
    rows = list(range(len(train)))
    told = {digest_of(data, SIZE)}
    told.add(digest_of(data, SIZE.model_copy(update={"height": 7})))
    told.add(digest_of(replace(data, train=train.keep(rows[:-1])), SIZE))
    told.add(digest_of(replace(data, train=train.keep([1, 0, *rows[2:]])), SIZE))
    told.add(digest_of(replace(data, train=replace(train, identity=("b", *train.identity[1:]))), SIZE))
    (tmp_path / IMAGES[0]).write_bytes((tmp_path / IMAGES[1]).read_bytes())
    told.add(digest_of(data, SIZE))
    assert len(told) == 6


def test_the_digest_does_not_tell_names_nor_bytes_in_memory_from_files(data: DataSet, tmp_path: Path) -> None:
    before = digest_of(data, SIZE)
    held = replace(data.train, sources=tuple(data.train.raw(row) for row in range(len(data.train))))
    assert digest_of(replace(data, train=held), SIZE) == before
    (tmp_path / "train").rename(tmp_path / "moved")
    moved = tuple(tmp_path / "moved" / source.relative_to(tmp_path / "train") for source in data.train.sources)
    assert digest_of(replace(data, train=replace(data.train, sources=moved)), SIZE) == before
