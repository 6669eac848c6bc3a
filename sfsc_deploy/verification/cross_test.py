"""The cross-test matrix and the compatibility criterion on it.

The criterion is that of BCT (arXiv 2003.11942), taken many-to-many: queries embedded by a find the gallery embedded by
b at least as well as the weaker of the two finds its own. A violation counts only when it is larger than chance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import Interval, Retrieval, bootstrap, paired_bootstrap, retrieve
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.thresholds import MIN_IDENTITIES, MIN_QUERIES
from sfsc_deploy.verification.verdict import Cell, Check, Finding, measured, unverified

_MORE_IMAGES = "sfsc-deploy verify-compat ... --data DIR"

_Pair = tuple[str, str]  # what embeds the queries, what embeds the gallery


@dataclass(frozen=True, eq=False)
class Contestant:
    """One side of cross-tests.

    Attributes:
        name: as the user named it.
        space: id of its space, where known.
        rows: what it embedded, or why it takes no part.
    """

    name: str
    space: str | None
    rows: Rows | Finding


def cross_test(
    contestants: Sequence[Contestant], on_pair: Callable[[str], None] = lambda _: None
) -> tuple[tuple[Cell, ...], tuple[Check, ...]]:
    """Measure every ordered pair that shares space and images, and judge every pair.

    Args:
        contestants: with different names.
        on_pair: hears before each pair what embeds its queries.

    Returns:
        The cells that could be measured, self-tests among them, and the criterion on every pair of two.
    """
    pairs = list(product(contestants, repeat=2))
    results: dict[_Pair, Retrieval] = {}
    for query, gallery in pairs:
        on_pair(query.name)
        if isinstance(query.rows, Rows) and isinstance(gallery.rows, Rows) and not _obstacle(query, gallery):
            results[query.name, gallery.name] = _retrieve(query.rows, gallery.rows)
    cells = [_cell(query, gallery, results) for query, gallery in pairs]
    checks = [
        Check.of("criterion", query.name, _criterion(query, gallery, results), gallery.name)
        for query, gallery in pairs
        if query is not gallery
    ]
    return tuple(cell for cell in cells if cell), tuple(checks)


def judge(cross: Retrieval, weaker: Retrieval, cluster: NDArray[np.int64]) -> Finding:
    """Is a cross-test at least the self-test of the weaker side, as far as these queries can tell?

    Args:
        cross: M(a, b) on Q queries.
        weaker: the lower of M(a, a) and M(b, b), on the same queries.
        cluster: int64 [Q], identity of each query.
    """
    identities = len(np.unique(cluster[~np.isnan(cross.average_precision)]))
    if identities < MIN_IDENTITIES or cross.queries < MIN_QUERIES:
        return unverified(
            f"Too few images: {cross.queries} queries of {identities} identities have a match in the gallery, "
            f"{MIN_QUERIES} of {MIN_IDENTITIES} are needed. Give more with --data.",
            _MORE_IMAGES,
        )
    interval = paired_bootstrap(cross.average_precision, weaker.average_precision, cluster)
    gain = cross.map - weaker.map
    visible = _smallest_visible_loss(gain, interval, identities)
    why = (
        f"mAP {_percent(cross.map)}, the weaker self-test has {_percent(weaker.map)}: {_points(gain)} points (95 % "
        f"interval {_points(interval.low)} to {_points(interval.high)}, {cross.queries} queries of {identities} "
        f"identities). A loss below about {100 * visible:.1f} points would not show in these images."
    )
    details = {"low": interval.low, "high": interval.high, "smallest_visible_loss": visible}
    return measured(interval.high >= 0, why, gain, 0.0, details)


def _criterion(query: Contestant, gallery: Contestant, results: Mapping[_Pair, Retrieval]) -> Finding:
    obstacle = _obstacle(query, gallery)
    if obstacle is not None:
        return obstacle
    assert isinstance(query.rows, Rows)
    cross = results[query.name, gallery.name]
    if not cross.queries:
        return unverified("No query has a match in the gallery.", _MORE_IMAGES)
    weaker = min((results[side.name, side.name] for side in (query, gallery)), key=lambda result: result.map)
    return judge(cross, weaker, query.rows.query_labels.identity)


def _obstacle(query: Contestant, gallery: Contestant) -> Finding | None:
    """Why a pair cannot be measured."""
    for side in (query, gallery):
        if isinstance(side.rows, Finding):
            return unverified(f"{side.name}: {side.rows.why}", side.rows.command)
    assert isinstance(query.rows, Rows)
    assert isinstance(gallery.rows, Rows)
    if query.space is None or query.space != gallery.space:
        return unverified("Not measured, because they are not of one space.")
    if query.rows.images != gallery.rows.images:
        return unverified("Not measured, because they embedded different images.", _MORE_IMAGES)
    return None


def _retrieve(query: Rows, gallery: Rows) -> Retrieval:
    return retrieve(query.query, gallery.gallery, query.query_labels, gallery.gallery_labels)


def _cell(query: Contestant, gallery: Contestant, results: Mapping[_Pair, Retrieval]) -> Cell | None:
    result = results.get((query.name, gallery.name))
    if result is None or not result.queries:
        return None
    assert isinstance(query.rows, Rows)
    interval = _interval(result, query.rows.query_labels.identity)
    return Cell(query.name, gallery.name, result.map, result.rank(1), interval, result.queries)


def _interval(result: Retrieval, cluster: NDArray[np.int64]) -> Interval | None:
    try:
        return bootstrap(result.average_precision, cluster)
    except SfscError:  # queries of a single identity
        return None


def _smallest_visible_loss(gain: float, interval: Interval, identities: int) -> float:
    """The loss whose whole interval would lie below 0, or where no query changed, the rule of three.

    That rule (Hanley and Lippman-Hand, JAMA 1983): of n identities none was lost, so with 95 % confidence at most 3 / n
    of all there are would be.
    """
    if interval.low == interval.high:
        return min(1.0, 3 / identities)
    return interval.high - gain


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"
