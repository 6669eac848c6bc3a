"""A new generation of models while the gallery of the old one stays: what becomes of each device?

The criterion is that of backward compatibility (BCT, arXiv 2003.11942): queries of the new model find in the stored
gallery at least as well as those of the model that it replaces. Negative flips (arXiv 2011.09161) are told besides:
a better mean is little comfort to whoever no longer finds what was found yesterday.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import Retrieval
from sfsc_deploy.verification.judgement import judge
from sfsc_deploy.verification.thresholds import FLOAT32, Thresholds
from sfsc_deploy.verification.verdict import Finding, Status


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

    Args:
        upgrade: what was measured.
        replaced: the old model that the device had, by name.
        limits: of the new model and the stored gallery together.
        of_its_width: whether `replaced` has the width of the new one, rather than being all there is to compare with.
    """
    which = "which it replaces," if of_its_width else "as no old artifact of its width was given,"
    found = judge(upgrade.now, upgrade.before, upgrade.identity, f"{replaced}, {which}", limits)
    if found.status is Status.UNVERIFIED:
        return found
    need = "No backfill is needed" if found.status is Status.PASS else "It needs a backfill"
    flips = f"{upgrade.lost} queries turn from right to wrong, {upgrade.won} from wrong to right"
    details = {**found.details, "negative_flips": upgrade.lost, "positive_flips": upgrade.won}
    details |= {"map_before": upgrade.before.map, "map_now": upgrade.now.map, "replaces": replaced}
    after = ""
    if upgrade.backfilled is not None:
        details["map_backfilled"] = upgrade.backfilled.map
        after = f" On a gallery embedded anew: {100 * upgrade.backfilled.map:.1f} %."
    return replace(found, why=f"{need}: {found.why} {flips}.{after}", details=details)
