"""Identity-balanced batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.batches import BalancedBatches


def batches(
    sizes: list[int], *, identities: int = 2, each: int = 2, seed: int = 0
) -> tuple[NDArray[np.int64], BalancedBatches]:
    identity = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return identity, BalancedBatches(identity, identities, each, seed)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=4, max_size=9), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
def test_a_batch_holds_different_identities_with_as_many_images_each(
    sizes: list[int], identities: int, each: int, epoch: int
) -> None:
    identity, drawn = batches(sizes, identities=identities, each=each)
    for batch in drawn.epoch(epoch):
        found, counts = np.unique(identity[batch], return_counts=True)
        assert (len(found), set(counts)) == (identities, {each})


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=4, max_size=9), st.integers(1, 5), st.integers(0, 99))
def test_no_image_comes_twice_in_a_batch_while_there_are_enough(sizes: list[int], each: int, epoch: int) -> None:
    identity, drawn = batches(sizes * 3, each=each)
    for batch in drawn.epoch(epoch):
        for one in np.unique(identity[batch]):
            images = batch[identity[batch] == one]
            assert len(set(images)) == min(each, np.sum(identity == one))


def test_small_identities_repeat_their_images_evenly() -> None:
    identity, drawn = batches([1, 3, 3], identities=3, each=6)
    (batch,) = drawn.epoch(0)
    assert np.bincount(batch).tolist() == [6 if one == 0 else 2 for one in identity]


def test_an_epoch_shows_as_many_images_as_there_are() -> None:
    _, drawn = batches([10] * 8, identities=4, each=4)
    assert len(drawn) == len(drawn.epoch(0)) == 5


def test_an_epoch_has_a_batch_at_least() -> None:
    _, drawn = batches([1, 1], identities=2, each=8)
    assert len(drawn) == len(drawn.epoch(0)) == 1


def test_seed_and_epoch_decide_alone() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in batches([5] * 6, seed=seed)[1].epoch(epoch)]

    assert order(3, 7) == order(3, 7)
    assert len({str(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize("sizes", [[8] * 10, [4] * 5 + [12] * 5])
def test_every_image_is_seen_about_as_often(sizes: list[int]) -> None:
    _, drawn = batches(sizes, identities=2, each=4)
    seen = np.bincount(np.concatenate([batch for epoch in range(300) for batch in drawn.epoch(epoch)]))
    np.testing.assert_allclose(seen / seen.mean(), 1, atol=0.25)
