"""Whether other batches give other embeddings, on backends that are right and wrong."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.batch_trials import BatchTrial, try_batches
from sfsc_deploy.runtime.embedder import Embedder

Rows = NDArray[np.float32]
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 2, 2, 3), dtype=np.uint8)


class Backend(Embedder):
    """Embeds by a function of the rows of mean colours."""

    def __init__(self, function: Callable[[Rows], Rows], max_batch: int = 10) -> None:
        super().__init__("a", backend="numpy", dim=3, space=None, preprocessing=None, max_batch=max_batch)
        self.function = function

    def _embed_batch(self, images: NDArray[np.uint8]) -> Rows:
        return self.function(images.mean((1, 2)).astype(np.float32))

    def _release(self) -> None: ...


def differences(function: Callable[[Rows], Rows], max_batch: int = 10) -> dict[tuple[int, bool], float | None]:
    trials = try_batches(Backend(function, max_batch), IMAGES)
    return {(trial.size, trial.reverse): trial.max_difference for trial in trials}


def refuse_seven(rows: Rows) -> Rows:
    if len(rows) == 7:
        raise SfscError("seven")
    return rows


def first_wins(rows: Rows) -> Rows:
    return rows - rows[:1]


def test_independent_rows_differ_nowhere() -> None:
    assert differences(lambda rows: rows) == {(1, False): 0, (2, False): 0, (7, False): 0, (10, True): 0}


def test_a_normalisation_over_the_batch_is_seen_at_every_smaller_size() -> None:
    found = differences(lambda rows: rows / np.linalg.norm(rows))
    assert all(found[size, False] for size in (1, 2, 7))


def test_a_dependence_on_the_order_is_seen() -> None:
    assert differences(first_wins)[10, True]


def test_a_size_that_fails_fails_alone() -> None:
    assert differences(refuse_seven) == {(1, False): 0, (2, False): 0, (7, False): None, (10, True): 0}


def test_a_size_that_gives_nan_has_no_difference() -> None:
    found = differences(lambda rows: rows if len(rows) != 2 else rows * np.nan)
    assert found[2, False] is None


def test_sizes_stay_below_the_whole() -> None:
    assert differences(lambda rows: rows, max_batch=2) == {(1, False): 0, (2, True): 0}


def test_a_trial_has_no_infinite_difference() -> None:
    with pytest.raises(ValueError, match="finite"):
        BatchTrial(size=1, reverse=False, max_difference=np.inf)
