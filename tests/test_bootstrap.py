import numpy as np
import pytest
from numpy.typing import NDArray

from sfsc_deploy.bootstrap import Interval, bootstrap, paired_bootstrap
from sfsc_deploy.errors import SfscError

Values = NDArray[np.float64]


def clustered(seed: int, clusters: int = 40, mean: float = 0.5) -> tuple[Values, NDArray[np.int64]]:
    """Values that agree within a cluster, as queries of one identity do; 1 to 5 of them each."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), rng.integers(1, 6, clusters))
    return mean + rng.normal(0, 0.2, clusters)[cluster] + rng.normal(0, 0.05, cluster.size), cluster


def width(interval: Interval) -> float:
    return interval.high - interval.low


def share_that_holds_the_mean(of_clusters: bool, repeats: int = 200) -> float:
    held = 0
    for seed in range(repeats):
        values, cluster = clustered(seed)
        found = bootstrap(values, cluster if of_clusters else np.arange(values.size), samples=400)
        held += found.low <= 0.5 <= found.high
    return held / repeats


def test_the_interval_holds_the_true_mean_about_19_times_in_20() -> None:
    assert 0.89 <= share_that_holds_the_mean(of_clusters=True) <= 0.99


def test_resampling_single_queries_would_promise_too_much() -> None:
    assert share_that_holds_the_mean(of_clusters=False) < 0.85


def test_the_width_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(0, 1, 400)
    found = bootstrap(values, np.arange(400), samples=4000)
    assert width(found) == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.05)
    assert (found.low + found.high) / 2 == pytest.approx(values.mean(), abs=0.02)


def test_two_clusters_can_only_be_drawn_in_three_ways() -> None:
    values, cluster = np.array([0.0, 1.0, 1.0, 1.0]), np.array([5, 9, 9, 9])
    assert bootstrap(values, cluster) == Interval(0.0, 1.0)


def test_the_mean_is_that_of_queries_and_not_of_identities() -> None:
    size = np.tile([9, 1], 200)
    found = bootstrap(np.repeat(size == 9, size).astype(np.float64), np.repeat(np.arange(400), size))
    assert found.low < 0.9 < found.high < 0.95


def test_identical_measurements_differ_by_exactly_nothing() -> None:
    values, cluster = clustered(0)
    assert paired_bootstrap(values, values, cluster) == Interval(0.0, 0.0)


def test_pairing_removes_what_both_have_in_common() -> None:
    a, cluster = clustered(0)
    b = a - 0.1 + np.random.default_rng(1).normal(0, 0.01, a.size)
    found = paired_bootstrap(a, b, cluster)
    assert found.low < 0.1 < found.high
    assert width(found) < width(bootstrap(a, cluster)) / 5


def test_swapping_the_two_mirrors_the_interval() -> None:
    a, cluster = clustered(0)
    b = np.random.default_rng(1).permutation(a)
    there, back = paired_bootstrap(a, b, cluster), paired_bootstrap(b, a, cluster)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_queries_without_a_value_in_either_are_left_out() -> None:
    a, cluster = clustered(0)
    b = a[::-1].copy()
    kept = np.ones(a.size, dtype=bool)
    kept[[0, 7]] = False
    a[0], b[7] = np.nan, np.nan
    assert paired_bootstrap(a, b, cluster) == paired_bootstrap(a[kept], b[kept], cluster[kept])


def test_the_seed_alone_decides_and_the_names_of_identities_do_not() -> None:
    values, cluster = clustered(0)
    assert bootstrap(values, cluster) == bootstrap(values, 1000 + 3 * cluster)
    assert bootstrap(values, cluster) != bootstrap(values, cluster, seed=1)


def test_a_single_sample_gives_a_single_mean() -> None:
    found = bootstrap(*clustered(0), samples=1)
    assert found.low == found.high


def test_more_samples_than_are_drawn_at_once_go_on_with_the_same_draws() -> None:
    values = np.random.default_rng(1).random(8)
    times = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=300)
    expected = np.quantile(times @ values / 8, [0.025, 0.975])
    found = bootstrap(values, np.arange(8), samples=300)
    assert [found.low, found.high] == pytest.approx(list(expected))


def test_one_identity_gives_no_interval() -> None:
    with pytest.raises(SfscError, match="at least 2 identities, not 1"):
        bootstrap(np.array([0.1, 0.2, np.nan]), np.array([4, 4, 5]))


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(SfscError, match="one length"):
        paired_bootstrap(np.zeros(3), np.zeros(1), np.arange(3))
    with pytest.raises(SfscError, match="one identity"):
        bootstrap(np.zeros(3), np.arange(2))
