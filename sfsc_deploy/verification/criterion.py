"""The compatibility criterion: a cross-test is at least the weaker of two self-tests.

It is that of BCT (arXiv 2003.11942), taken many-to-many, and speaks of mAP. Rank-1 is held besides, within
`max_rank1_loss`, because mAP may stay where first matches are lost. A violation counts only when it is larger than
chance.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import Retrieval
from sfsc_deploy.verification.judgement import MAP, MEASURE, MORE_IMAGES, WEAKER, graver, judge_first, judge_map
from sfsc_deploy.verification.thresholds import FLOAT32, Thresholds
from sfsc_deploy.verification.verdict import Finding, Status, unverified


def criterion(
    cross: Retrieval,
    self_tests: Sequence[Retrieval],
    identity: NDArray[np.int64],
    limits: Thresholds = FLOAT32,
    baseline: str = WEAKER,
) -> Finding:
    """Does a pair meet the criterion, as far as these queries can tell?

    Args:
        cross: M(a, b) on Q queries.
        self_tests: M(a, a) and M(b, b) on the same queries, as far as they are known.
        identity: int64 [Q], of the queries.
        limits: of the pair.
        baseline: what the weaker self-test is called.

    Returns:
        Its value is the difference of mAP, or where that holds and rank-1 doesn't, of rank-1.
    """
    if not cross.queries:
        return unverified("No query has a match in the gallery.", MORE_IMAGES)
    of_map = judge_map(cross, min(self_tests, key=lambda found: found.map), identity, baseline, limits)
    if of_map.status is Status.UNVERIFIED:
        return of_map
    weaker = min(self_tests, key=lambda found: found.rank(1))
    of_first = judge_first(cross, weaker, identity, baseline, limits.max_rank1_loss)
    decided = graver(of_map, of_first)
    told = [of_map.why, f"{of_first.why}."]
    return replace(decided, why=" ".join(told if decided.details[MEASURE] == MAP else reversed(told)))
