"""A new generation of models while the gallery of the old one stays: what becomes of each device?

The criterion is that of backward compatibility (BCT, arXiv 2003.11942): queries of the new model find in the stored
gallery at least as well as those of the model that it replaces, by mAP and by rank-1. Negative flips (arXiv 2011.09161)
are told besides: a better mean is little comfort to whoever no longer finds what was found yesterday.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import Retrieval
from sfsc_deploy.verification.judgement import graver, judge_first, judge_map, percent
from sfsc_deploy.verification.thresholds import FLOAT32, Thresholds
from sfsc_deploy.verification.verdict import Details, Finding, Status

_CONCLUSION: Mapping[Status, str] = MappingProxyType(
    {
        Status.PASS: "No loss beyond chance was measured on these images, so that they ask for no backfill",
        Status.FAIL: "It needs a backfill",
    }
)


@dataclass(frozen=True, eq=False)
class Upgrade:
    """The same queries three times.

    Attributes:
        before: by the old model on the stored gallery.
        now: by the new model on the stored gallery.
        backfilled: by the new model on a gallery embedded anew by the widest new one; None where that isn't known.
        identity: int64 [Q].
    """

    before: Retrieval
    now: Retrieval
    backfilled: Retrieval | None
    identity: NDArray[np.int64]

    @property
    def lost(self) -> int:
        """Negative flips: queries whose first image was right before and is wrong now."""
        return int(np.count_nonzero((self.before.first_match == 1) & (self.now.first_match > 1)))

    @property
    def won(self) -> int:
        """Queries whose first image was wrong before and is right now."""
        return int(np.count_nonzero((self.before.first_match > 1) & (self.now.first_match == 1)))


def judge_upgrade(
    upgrade: Upgrade, replaced: str, limits: Thresholds = FLOAT32, *, of_its_width: bool = True
) -> Finding:
    """Does the new model find in the stored gallery what the old one found? If not, a backfill is needed.

    mAP must not fall beyond chance by more than `max_criterion_loss`, nor rank-1 at all.

    Args:
        upgrade: what was measured.
        replaced: the old model that the device had, by name.
        limits: of the new model and the stored gallery together.
        of_its_width: whether `replaced` has the width of the new one, rather than being all there is to compare with.
    """
    which = "which it replaces," if of_its_width else "as no old artifact of its width was given,"
    of_map = judge_map(upgrade.now, upgrade.before, upgrade.identity, f"{replaced}, {which}", limits)
    if of_map.status is Status.UNVERIFIED:
        return of_map
    of_first = _first_matches(upgrade)
    decided = graver(of_map, of_first)
    why = f"{_CONCLUSION[decided.status]}: {of_map.why} {of_first.why}{_backfilled(upgrade)}"
    return replace(decided, why=why, details={**decided.details, **_details(upgrade, replaced)})


def _first_matches(upgrade: Upgrade) -> Finding:
    """Rank-1 may fall while mAP rises; no threshold loosens that."""
    found = judge_first(upgrade.now, upgrade.before, upgrade.identity, "before")
    return replace(
        found, why=f"{found.why}: {upgrade.lost} queries turn from right to wrong, {upgrade.won} from wrong to right."
    )


def _backfilled(upgrade: Upgrade) -> str:
    return f" On a gallery embedded anew: {percent(upgrade.backfilled.map)}." if upgrade.backfilled else ""


def _details(upgrade: Upgrade, replaced: str) -> Details:
    anew = {"map_backfilled": upgrade.backfilled.map} if upgrade.backfilled else {}
    return {
        "rank1_before": upgrade.before.rank(1),
        "rank1_now": upgrade.now.rank(1),
        "negative_flips": upgrade.lost,
        "positive_flips": upgrade.won,
        "map_before": upgrade.before.map,
        "map_now": upgrade.now.map,
        "replaces": replaced,
        **anew,
    }
