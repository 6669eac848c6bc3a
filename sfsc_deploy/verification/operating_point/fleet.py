"""The operating point of a fleet: one threshold, tuned on one artifact, tried on every pair.

A gallery is searched with one threshold, which somebody tuned on the server. Scores of another width, precision or
backend may lie higher or lower; the ranking, which mAP measures, need not change at all.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product

from sfsc_deploy.errors import SfscError
from sfsc_deploy.verification.cross_test import Contestant, obstacle_between
from sfsc_deploy.verification.operating_point.acceptance import Accepted, Pairs, accepted, tuned
from sfsc_deploy.verification.operating_point.judging import judge_operating_point, too_few
from sfsc_deploy.verification.operating_point.trying import Tried
from sfsc_deploy.verification.thresholds import Thresholds, limits_of_pair
from sfsc_deploy.verification.verdict import Artifact, Check, Finding, unverified

NAME = "operating-point"

LARGEST_FPR = 0.1
"""Whoever lets one stranger in ten pass needs no threshold."""

_FINEST_FIRST = ("float32", "float16", "int8")


def refuse_senseless(fpr: float | None, anchor: str | None, subjects: Sequence[str]) -> None:
    """Check what the user asked for.

    Raises:
        SfscError: a rate out of range, or an anchor that is no subject or tunes nothing.
    """
    if fpr is not None and not 0 < fpr <= LARGEST_FPR:
        raise SfscError(
            f"A false positive rate of {fpr:g} was asked for.", f"It lies above 0 and at {LARGEST_FPR} or below."
        )
    if anchor is not None and fpr is None:
        raise SfscError("An anchor is what a threshold is tuned on, but no rate is given.", "Give one: --fpr 1e-3")
    if anchor is not None and anchor not in subjects:
        raise SfscError(f"The anchor {anchor} is none of the subjects.", f"Name one of: {', '.join(subjects)}.")


def refuse_new_anchor(anchor: str | None, spaces: Mapping[str, str | None]) -> None:
    """Check that the anchor of an upgrade isn't of the new generation, as far as that is known.

    Args:
        anchor: the subject that the user named; None: none.
        spaces: id of each subject's space, where known, by its name; the first one's generation is the old one.

    Raises:
        SfscError: it is of another generation than the first subject.
    """
    old = next(iter(spaces.values()))
    own = None if anchor is None else spaces[anchor]
    if own is not None and old is not None and own != old:
        raise SfscError(
            f"The anchor {anchor} is of the new generation.",
            "The threshold in the field was tuned on the old one. Name one of: "
            f"{', '.join(name for name, space in spaces.items() if space == old)}.",
        )


def chosen_anchor(artifacts: Sequence[Artifact], able: Sequence[str], *, upgrade: bool = False) -> str | None:
    """The widest artifact, of equal ones the most precise, else the first, among those `able` to take part.

    Of an `upgrade` it is of the first one's generation: the threshold in the field was tuned there.
    """
    space = artifacts[0].space if upgrade else None
    may = [each for each in artifacts if each.name in able and (not upgrade or space == each.space is not None)]
    return min(may, key=_size).name if may else None


def _size(artifact: Artifact) -> tuple[float, int]:
    """The widest, of equal ones the most precise, has the least."""
    named = [place for place, name in enumerate(_FINEST_FIRST) if name in (artifact.precision or "")]
    return -(artifact.width or 0), max(named, default=len(_FINEST_FIRST))


def operating_points(
    contestants: Sequence[Contestant],
    fpr: float,
    anchor: str | None,
    *,
    upgrade: bool = False,
) -> list[Check]:
    """Tune a threshold on the anchor's self-test, and try it on every other pair.

    Args:
        contestants: with different names.
        fpr: the false positive rate that the threshold is tuned for.
        anchor: name of the contestant that it is tuned on; None: nothing could be embedded.
        upgrade: whether the first contestant's generation keeps the gallery: then pairs are those that search in it.
    """
    known = {each.name: each for each in contestants}
    trials = _Trials(known, fpr, anchor, upgrade=upgrade)
    pairs = [
        (query, gallery)
        for query, gallery in product(contestants, repeat=2)
        if (query.name, gallery.name) != (anchor, anchor) and not (upgrade and gallery.space != contestants[0].space)
    ]
    return [
        Check.of(
            NAME,
            query.name,
            trials.judge(query, gallery, limits_of_pair(query.limits, gallery.limits)),
            gallery.name,
        )
        for query, gallery in pairs
    ]


class _Trials:
    """Pairs tried at one threshold; what several pairs need is measured once."""

    def __init__(self, known: Mapping[str, Contestant], fpr: float, anchor: str | None, *, upgrade: bool) -> None:
        self._anchor = known[anchor] if anchor is not None else None
        self._fpr = fpr
        self._upgrade = upgrade
        self._own = cache(self._own_point)
        self._known = known

    def judge(self, query: Contestant, gallery: Contestant, limits: Thresholds) -> Finding:
        obstacle = self._obstacle(query, gallery)
        if obstacle is not None:
            return obstacle
        pairs = _pairs(query, gallery)
        return too_few(pairs, self._fpr) or judge_operating_point(self._try(query, gallery, pairs), pairs, limits)

    def _obstacle(self, query: Contestant, gallery: Contestant) -> Finding | None:
        if self._anchor is None:
            return unverified("Nothing is at hand to tune a threshold on.")
        between = ((query, gallery), (self._anchor, query), (self._anchor, gallery))
        found = (obstacle_between(one, other, self._upgrade) for one, other in between)
        return next((obstacle for obstacle in found if obstacle), None)

    def _try(self, query: Contestant, gallery: Contestant, pairs: Pairs) -> Tried:
        assert self._anchor is not None
        threshold, there = self._own(self._anchor.name)
        own = [self._own(side.name)[1] for side in (query, gallery)]
        rows, images = query.embedded.query, gallery.embedded.gallery
        return Tried(
            anchor=self._anchor.name,
            fpr=self._fpr,
            threshold=threshold,
            here=accepted(rows, images, pairs, threshold),
            there=there,
            weaker=min(own, key=lambda found: found.tpr),
            restoring=tuned(rows, images, pairs, self._fpr),
        )

    def _own_point(self, name: str) -> tuple[float, Accepted]:
        """The threshold of a contestant's own, and what it accepts in the self-test."""
        side = self._known[name]
        pairs = _pairs(side, side)
        query, gallery = side.embedded.query, side.embedded.gallery
        threshold = tuned(query, gallery, pairs, self._fpr)
        return threshold, accepted(query, gallery, pairs, threshold)


def _pairs(query: Contestant, gallery: Contestant) -> Pairs:
    return Pairs.of(query.embedded.query_labels, gallery.embedded.gallery_labels)
