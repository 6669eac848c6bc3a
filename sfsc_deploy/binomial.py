"""How large a share may be of which few were seen, or none: resampling can't draw what isn't there."""

import math

_TAIL = 0.025
_HALVINGS = 60  # to the last bit of a share


def largest_share(seen: int, count: int) -> float:
    """The largest share of which as few as `seen` of `count` are still to be expected in 2.5 % of all samples.

    The upper end of the exact 95 % interval (Clopper and Pearson, Biometrika 1934). Of none among 100 it is 3.6 %; the
    rule of three, whose confidence is 95 % on this side alone, says 3 %.

    Args:
        seen: 0 to `count`.
        count: how many were looked at, 1 or more.
    """
    if seen >= count:
        return 1.0
    low, high = seen / count, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance_of_at_most(seen, count, middle) > _TAIL else (low, middle)
    return high


def _chance_of_at_most(seen: int, count: int, share: float) -> float:
    """The lower tail of the binomial distribution; its terms by their logarithms, as they are beyond float64."""
    own, other = math.log(share), math.log1p(-share)
    return sum(math.exp(_log_choices(count, each) + each * own + (count - each) * other) for each in range(seen + 1))


def _log_choices(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)
