"""A threshold tried on a pair: how often it lets strangers pass and turns right pairs away, and how sure that is."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sfsc_deploy.binomial import largest_share
from sfsc_deploy.bootstrap import pairs_bootstrap, ratio_bootstrap
from sfsc_deploy.metrics import Interval
from sfsc_deploy.verification.operating_point.acceptance import Accepted
from sfsc_deploy.verification.verdict import Status

_ROUNDING = 1e-9  # of a whole number of identities


@dataclass(frozen=True)
class Bounded:
    """A figure that may not lie above a limit.

    Attributes:
        value: as measured.
        interval: its 95 % interval.
        most: the limit.
    """

    value: float
    interval: Interval
    most: float

    @property
    def status(self) -> Status:
        """FAIL where figure and interval lie beyond the limit, PASS where both lie within, else UNVERIFIED."""
        if min(self.value, self.interval.low) > self.most:
            return Status.FAIL
        return Status.PASS if max(self.value, self.interval.high) <= self.most else Status.UNVERIFIED


@dataclass(frozen=True, eq=False)
class Tried:
    """A threshold tried on a pair.

    Attributes:
        anchor: what it was tuned on, by name.
        fpr: the false positive rate that was asked for.
        threshold: the score that gives the anchor this rate.
        here: what it accepts of the pair.
        there: what it accepts of the anchor, on the same images.
        weaker: what the weaker side accepts of its own, with a threshold of its own for the same rate.
        restoring: the threshold that would give the pair this rate.
    """

    anchor: str
    fpr: float
    threshold: float
    here: Accepted
    there: Accepted
    weaker: Accepted
    restoring: float

    @property
    def identities(self) -> int:
        """How many have right pairs."""
        return int((self.here.all_right > 0).sum())

    @cached_property
    def ratio(self) -> tuple[float, Interval]:
        """How many times as often strangers pass as on the anchor, where some must pass, and its 95 % interval."""
        here, there = self.here.strangers, self.there.strangers
        return float(here.sum() / there.sum()), pairs_bootstrap(here, there)

    @cached_property
    def gain(self) -> tuple[float, Interval]:
        """How many more right pairs pass than the weaker side accepts of its own, a share, and its 95 % interval.

        The interval is never narrower downwards than the exact limit of what is lost, counted in whole identities
        (rounded up): draws of identities hold no loss that none of them shows, and too little of one that few show.
        """
        change = self.here.tpr - self.weaker.tpr
        drawn = ratio_bootstrap(self.here.right - self.weaker.right, self.here.all_right)
        seen = math.ceil(self.identities * self._lost - _ROUNDING)
        exact = change + self._lost - largest_share(seen, self.identities)
        return change, Interval(max(-1.0, min(drawn.low, exact)), drawn.high)

    @property
    def _lost(self) -> float:
        """The share of the right pairs that is lost by identities that lose; what others gain doesn't count."""
        lost = np.maximum(self.weaker.right - self.here.right, 0)
        return float(lost.sum() / self.here.all_right.sum())

    def strangers_passing(self, most: float) -> Bounded:
        """Whether strangers pass more than `most` times as often as on the anchor."""
        return Bounded(*self.ratio, most)

    def loss(self, most: float) -> Bounded:
        """Whether more than the share `most` of the right pairs is lost."""
        change, interval = self.gain
        return Bounded(-change, Interval(-interval.high, -interval.low), most)
