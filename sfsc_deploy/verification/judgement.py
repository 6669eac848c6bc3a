"""Is one retrieval at least as good as another one of the same queries? A loss counts when it is larger than chance."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import Interval, Retrieval, paired_bootstrap
from sfsc_deploy.verification.thresholds import FLOAT32, MIN_QUERIES, Thresholds
from sfsc_deploy.verification.verdict import Finding, Status, measured, unverified

MORE_IMAGES = "sfsc-deploy verify-compat ... --data DIR"
"""What lets more be told."""

WEAKER = "the weaker self-test"
"""What the criterion measures a pair by."""

MEASURE, MAP, RANK1 = "measure", "mAP", "rank-1"
"""Of the details: what value and threshold are of."""

_ROUNDING = 1e-9
"""Points. Means of equal numbers differ by less, and one query of a million by more."""


def judge_map(
    cross: Retrieval,
    weaker: Retrieval,
    cluster: NDArray[np.int64],
    baseline: str = WEAKER,
    limits: Thresholds = FLOAT32,
) -> Finding:
    """Is the mAP of a cross-test at least what it is measured by, as far as these queries can tell?

    Args:
        cross: M(a, b) on Q queries.
        weaker: what it is measured by, on the same queries: of the criterion, the lower of M(a, a) and M(b, b).
        cluster: int64 [Q], identity of each query.
        baseline: what `weaker` is called.
        limits: of the pair.
    """
    identities = len(np.unique(cluster[~np.isnan(cross.average_precision)]))
    if identities < limits.min_identities or cross.queries < MIN_QUERIES:
        return unverified(
            f"Too few images: {cross.queries} queries of {identities} identities have a match in the gallery, "
            f"{MIN_QUERIES} of {limits.min_identities} are needed. Give more with --data.",
            MORE_IMAGES,
        )
    interval = paired_bootstrap(cross.average_precision, weaker.average_precision, cluster)
    gain, allowed = cross.map - weaker.map, -limits.max_criterion_loss
    visible = _smallest_visible_loss(gain, interval, identities)
    why = (
        f"mAP {percent(cross.map)}, {baseline} has {percent(weaker.map)}: {points(gain)} points (95 % "
        f"interval {points(interval.low)} to {points(interval.high, allowed)}, {cross.queries} queries of {identities} "
        f"identities). A loss of mAP below about {_size(visible)} points would not show in these images."
    )
    details = {"low": interval.low, "high": interval.high, "smallest_visible_loss": visible}
    return measured(interval.high >= allowed, why, gain, allowed or 0.0, details)


def judge_first(
    cross: Retrieval, weaker: Retrieval, cluster: NDArray[np.int64], baseline: str, max_loss: float = 0.0
) -> Finding:
    """Is the first image that a cross-test finds a match as often? mAP may rise while fewer are.

    Where a loss is allowed that is the room before an alarm, rather than something that a PASS proves: the interval of
    some hundred queries is wider.

    Args:
        cross: of Q queries.
        weaker: what it is measured by, on the same queries.
        cluster: int64 [Q], identity of each query, of 2 at least.
        baseline: what `weaker` is called.
        max_loss: share of the queries that may be lost beyond chance.
    """
    change = cross.rank(1) - weaker.rank(1)
    interval = paired_bootstrap(_is_first(cross), _is_first(weaker), cluster)
    why = (
        f"Rank-1 {percent(cross.rank(1))}, {baseline} {percent(weaker.rank(1))}: {points(change)} points (95 % "
        f"interval {points(interval.low)} to {points(interval.high, -max_loss)}){_lost(interval, max_loss)}"
    )
    limit = -max_loss or 0.0
    ends = {"rank1_low": interval.low, "rank1_high": interval.high}
    return measured(
        interval.high >= limit, why, change, limit, {"rank1_change": change, "rank1_threshold": limit, **ends}
    )


def graver(of_map: Finding, of_first: Finding) -> Finding:
    """The one of both that decides, and which that is (`measure`), with the details of both."""
    by_rank1 = of_first.status is Status.FAIL and of_map.status is Status.PASS
    details = {**of_map.details, **of_first.details, MEASURE: RANK1 if by_rank1 else MAP}
    return replace(of_first if by_rank1 else of_map, details=details)


def _lost(interval: Interval, max_loss: float) -> str:
    """What is said of first matches that are lost beyond chance, whether or not that is allowed."""
    if interval.high >= 0:
        return ""
    if interval.high >= -max_loss:
        return f", first matches are lost beyond chance, though not surely more than {_size(max_loss)} points"
    more = f"more than {_size(max_loss)} points of " if max_loss else ""
    return f", {more}first matches are lost beyond chance"


def _is_first(found: Retrieval) -> NDArray[np.float64]:
    """Whether the first image of each query is a match, float64 [Q]: 1 or 0, NaN where it has none."""
    return np.where(found.first_match > 0, (found.first_match == 1).astype(np.float64), np.nan)


def _smallest_visible_loss(gain: float, interval: Interval, identities: int) -> float:
    """The loss whose whole interval would lie below 0, or where all changed alike, the rule of three.

    That rule (Hanley and Lippman-Hand, JAMA 1983): of n identities none was lost, so with 95 % confidence at most 3 / n
    of all there are would be. One-sided, as nothing passes by it: it tells how small a loss would have shown.
    """
    if 100 * (interval.high - interval.low) < _ROUNDING:
        return min(1.0, 3 / identities)
    return interval.high - gain


def percent(share: float) -> str:
    """A share of 1."""
    return f"{100 * share:.1f} %"


def points(difference: float, limit: float = 0.0) -> str:
    """A difference of shares of 1, in points, with as many digits as tell it from a limit."""
    return f"{100 * difference:+.{_digits(difference - limit)}f}"


def _size(share: float) -> str:
    """A share of 1 in points, without a sign."""
    return f"{100 * share:.{_digits(share)}f}"


def _digits(share: float) -> int:
    """How many digits behind the point tell a share, in points, from none."""
    distance = abs(100 * share)
    if round(distance, 1) or distance < _ROUNDING:
        return 1
    return -math.floor(math.log10(distance))
