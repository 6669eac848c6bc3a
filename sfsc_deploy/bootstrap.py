"""How far a mean over queries can be trusted: intervals by resampling whole identities.

Queries of one identity resemble each other, so resampling single queries would promise too much. The cluster
bootstrap (Davison and Hinkley, Bootstrap Methods and their Application, section 3.8) draws identities instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError

_TAILS = (0.025, 0.975)
_MOST_KEPT = 8 << 20  # counts, of 4 bytes each
_SAMPLES_AT_ONCE = 128  # keeps the memory at 128 counts per identity


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


def paired_bootstrap(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    cluster: NDArray[np.int64],
    *,
    samples: int = 2000,
    seed: int = 0,
) -> Interval:
    """95 % interval of mean(a) - mean(b), for two measurements of the same queries.

    Args:
        a: float64 [Q], such as the average precision of each query; NaN where it has none.
        b: float64 [Q], of the same queries in the same order; a query that is NaN in either is left out.
        cluster: int64 [Q], the identity of each query.
        samples: how often the identities are drawn anew.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        SfscError: the lengths differ, or fewer than two identities are left.
    """
    if a.shape != b.shape:
        raise SfscError(f"Paired measurements need one length: these have {a.shape} and {b.shape}.")
    return bootstrap(a - b, cluster, samples=samples, seed=seed)


def bootstrap(a: NDArray[np.float64], cluster: NDArray[np.int64], *, samples: int = 2000, seed: int = 0) -> Interval:
    """95 % percentile interval of mean(a); arguments and errors are those of `paired_bootstrap`."""
    if a.shape != cluster.shape:
        raise SfscError(f"Each query needs one identity: {a.shape} queries have {cluster.shape}.")
    counted = ~np.isnan(a)
    _, member = np.unique(cluster[counted], return_inverse=True)
    size = np.bincount(member).astype(np.float64)
    total = np.bincount(member, weights=a[counted]).astype(np.float64)
    if size.size < 2:
        raise SfscError(f"An interval needs queries of at least 2 identities, not {size.size}.")
    low, high = np.quantile(_resampled_means(total, size, samples, seed), _TAILS)
    return Interval(float(low), float(high))


def ratio_bootstrap(
    part: NDArray[np.float64], whole: NDArray[np.float64], *, samples: int = 2000, seed: int = 0
) -> Interval:
    """95 % interval of sum(part) / sum(whole), both float64 [C] by identity; those whose whole is 0 are left out.

    Raises:
        SfscError: fewer than two identities are left.
    """
    counted = whole > 0
    if np.count_nonzero(counted) < 2:
        raise SfscError(f"An interval needs at least 2 identities, not {np.count_nonzero(counted)}.")
    low, high = np.quantile(_resampled_means(part[counted], whole[counted], samples, seed), _TAILS)
    return Interval(float(low), float(high))


def pairs_bootstrap(
    part: NDArray[np.float64], whole: NDArray[np.float64], *, samples: int = 2000, seed: int = 0
) -> Interval:
    """95 % interval of sum(part) / sum(whole) over pairs of identities, both float64 [C, C], of at least 0.

    A pair of strangers has two identities, and shares each of them with many other pairs. So identities are drawn, and
    a pair counts as often as both of its own together (the pigeonhole bootstrap: Owen, Annals of Applied Statistics
    2007, section 3). A draw without a whole knows nothing of the ratio: it counts as 0 for the lower end (but infinity
    where there is a part) and as infinity for the upper one. Where there are many such draws nothing is promised.

    Raises:
        SfscError: fewer than two identities.
    """
    if len(whole) < 2:
        raise SfscError(f"An interval needs at least 2 identities, not {len(whole)}.")
    sums = [
        [((times @ pairs) * times).sum(axis=1) for pairs in (part, whole)]
        for times in _draws(len(whole), samples, seed)
    ]
    parts, wholes = (np.concatenate(column) for column in zip(*sums, strict=True))
    known = wholes > 0
    lows = np.divide(parts, wholes, out=np.where(parts > 0, np.inf, 0.0), where=known)
    highs = np.where(known, lows, np.inf)
    # Numbers that were drawn, as there is nothing between a number and infinity.
    low = np.quantile(lows, _TAILS[0], method="lower")
    high = np.quantile(highs, _TAILS[1], method="higher")
    return Interval(float(low), float(high))


def _resampled_means(
    total: NDArray[np.float64], size: NDArray[np.float64], samples: int, seed: int
) -> NDArray[np.float64]:
    """Means of `samples` draws of C clusters with replacement, from each cluster's sum and size [C]."""
    return np.concatenate([(times @ total) / (times @ size) for times in _draws(size.size, samples, seed)])


def _draws(clusters: int, samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each of C clusters is drawn, some samples at a time: float64 [at most 128, C]."""
    drawn = _kept(clusters, samples, seed) if clusters * samples <= _MOST_KEPT else _drawn(clusters, samples, seed)
    return (times.astype(np.float64) for times in drawn)


@lru_cache(maxsize=2)
def _kept(clusters: int, samples: int, seed: int) -> tuple[NDArray[np.uint32], ...]:
    """Every pair of a fleet has the same identities, and drawing takes longer than all the rest."""
    return tuple(times.astype(np.uint32) for times in _drawn(clusters, samples, seed))


def _drawn(clusters: int, samples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    evenly = np.full(clusters, 1 / clusters)
    for start in range(0, samples, _SAMPLES_AT_ONCE):
        draws = min(_SAMPLES_AT_ONCE, samples - start)
        yield generator.multinomial(clusters, evenly, size=draws)
