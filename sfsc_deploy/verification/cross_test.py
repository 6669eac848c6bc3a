"""The cross-test matrix, and what is judged of its pairs: the compatibility criterion, or an upgrade."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import Interval, Retrieval, bootstrap
from sfsc_deploy.verification.criterion import criterion
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.judgement import MORE_IMAGES
from sfsc_deploy.verification.subject import SubModel
from sfsc_deploy.verification.thresholds import FLOAT32, Thresholds, limits_of_pair
from sfsc_deploy.verification.upgrade import Upgrade, judge_upgrade
from sfsc_deploy.verification.verdict import Cell, Check, Finding, unverified

_Pair = tuple[str, str]  # what embeds the queries, what embeds the gallery


@dataclass(frozen=True, eq=False)
class Contestant:
    """One side of cross-tests.

    Attributes:
        name: as the user named it.
        space: id of its space, where known.
        rows: what it embedded, or why it takes no part.
        width: width multiplier of its sub-model, where known.
        limits: what it is measured by; of a pair, see `limits_of_pair`.
        sub_model: what it is made of, where known.
    """

    name: str
    space: str | None
    rows: Rows | Finding
    width: float | None = None
    limits: Thresholds = FLOAT32
    sub_model: SubModel | None = None

    @property
    def embedded(self) -> Rows:
        """Its rows, which there must be."""
        assert isinstance(self.rows, Rows)
        return self.rows


class Searches:
    """What pairs of contestants find, each measured once, whoever asks."""

    def __init__(self) -> None:
        self._found: dict[_Pair, Retrieval] = {}

    def of(self, query: Contestant, gallery: Contestant) -> Retrieval:
        """Queries of one in the gallery of another; both have embedded the same images."""
        pair = query.name, gallery.name
        if pair not in self._found:
            self._found[pair] = query.embedded.searched_in(gallery.embedded)
        return self._found[pair]


def cross_test(
    contestants: Sequence[Contestant],
    on_pair: Callable[[str], None] = lambda _: None,
    *,
    upgrade: bool = False,
    searches: Searches | None = None,
) -> tuple[tuple[Cell, ...], tuple[Check, ...]]:
    """Measure every ordered pair that shares space and images, and judge every pair.

    Args:
        contestants: with different names.
        on_pair: hears before each pair what embeds its queries.
        upgrade: whether two generations are meant, that of the first contestant the old one: then pairs of both are
            measured, too, and instead of the criterion `upgrade` is judged on new queries in the first one's gallery.
        searches: keeps what is measured, for whoever needs it again.

    Returns:
        The cells that could be measured, self-tests among them, and the checks on pairs of two.
    """
    searches = searches or Searches()
    pairs = list(product(contestants, repeat=2))
    cells = []
    for query, gallery in pairs:
        on_pair(query.name)
        if not obstacle_between(query, gallery, upgrade):
            identity = query.embedded.query_labels.identity
            cells.append(cell_of(query.name, gallery.name, searches.of(query, gallery), identity))
    checks = [
        Check.of("criterion", query.name, _criterion(query, gallery, searches), gallery.name)
        for query, gallery in pairs
        if query is not gallery and not (upgrade and query.space != gallery.space)
    ]
    if upgrade:
        checks += _upgrades(contestants, searches)
    return tuple(cell for cell in cells if cell), tuple(checks)


def _criterion(query: Contestant, gallery: Contestant, searches: Searches) -> Finding:
    obstacle = obstacle_between(query, gallery)
    if obstacle is not None:
        return obstacle
    cross = searches.of(query, gallery)
    self_tests = [searches.of(side, side) for side in (query, gallery)]
    limits = limits_of_pair(query.limits, gallery.limits)
    return criterion(cross, self_tests, query.embedded.query_labels.identity, limits)


def _upgrades(contestants: Sequence[Contestant], searches: Searches) -> Iterator[Check]:
    stored = contestants[0]
    old = [contestant for contestant in contestants if contestant.space == stored.space]
    new = [contestant for contestant in contestants if contestant.space != stored.space]
    widest = max(new, key=lambda contestant: contestant.width or 0, default=None)
    for device in new:
        replaced = next((each for each in old if each.width == device.width), stored)
        obstacle = obstacle_between(device, stored, upgrade=True) or obstacle_between(replaced, stored, upgrade=True)
        if obstacle is None:
            assert widest is not None
            anew = obstacle_between(device, widest, upgrade=True) is None
            upgraded = Upgrade(
                before=searches.of(replaced, stored),
                now=searches.of(device, stored),
                backfilled=searches.of(device, widest) if anew else None,
                identity=device.embedded.query_labels.identity,
            )
            limits, same = limits_of_pair(device.limits, stored.limits), device.width == replaced.width
            obstacle = judge_upgrade(upgraded, replaced.name, limits, of_its_width=same)
        yield Check.of("upgrade", device.name, obstacle, stored.name)


def obstacle_between(query: Contestant, gallery: Contestant, upgrade: bool = False) -> Finding | None:
    """Why a pair cannot be measured; an upgrade is measured between spaces, too."""
    for side in (query, gallery):
        if isinstance(side.rows, Finding):
            return unverified(f"{side.name}: {side.rows.why}", side.rows.command)
    if query.space is None or gallery.space is None or (query.space != gallery.space and not upgrade):
        return unverified("Not measured, because they are not of one space.")
    if query.embedded.images != gallery.embedded.images:
        return unverified("Not measured, because they embedded different images.", MORE_IMAGES)
    return None


def cell_of(query: str, gallery: str, result: Retrieval, identity: NDArray[np.int64]) -> Cell | None:
    """What was measured with queries of one and the gallery of another; None where no query has a match.

    Args:
        query: what embedded the queries.
        gallery: what embedded the gallery.
        result: of Q queries.
        identity: int64 [Q].
    """
    if not result.queries:
        return None
    interval = _interval(result, identity)
    return Cell(query, gallery, result.map, result.rank(1), interval, result.queries)


def _interval(result: Retrieval, cluster: NDArray[np.int64]) -> Interval | None:
    try:
        return bootstrap(result.average_precision, cluster)
    except SfscError:  # queries of a single identity
        return None
