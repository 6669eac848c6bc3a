"""Does a threshold on scores that was tuned on one artifact hold on the others?"""

from sfsc_deploy.verification.operating_point.fleet import (
    LARGEST_FPR,
    chosen_anchor,
    operating_points,
    refuse_new_anchor,
    refuse_senseless,
)

__all__ = ["LARGEST_FPR", "chosen_anchor", "operating_points", "refuse_new_anchor", "refuse_senseless"]
