"""Does a threshold that was tuned elsewhere hold for a pair, as far as its images can tell?"""

import math
from dataclasses import dataclass, replace

from sfsc_deploy.bootstrap import pairs_bootstrap, ratio_bootstrap
from sfsc_deploy.metrics import Interval
from sfsc_deploy.verification.judgement import MORE_IMAGES, percent, points
from sfsc_deploy.verification.operating_point.acceptance import Accepted, Pairs
from sfsc_deploy.verification.thresholds import MIN_STRANGERS_ACCEPTED, Thresholds
from sfsc_deploy.verification.verdict import Finding, measured, unverified


@dataclass(frozen=True, eq=False)
class Tried:
    """A threshold tried on a pair.

    Attributes:
        anchor: what it was tuned on, by name.
        fpr: the false positive rate that was asked for.
        threshold: the score that gives the anchor this rate.
        here: what it accepts of the pair.
        there: what it accepts of the anchor.
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


def too_few(pairs: Pairs, fpr: float) -> Finding | None:
    """Why a rate can't be told from these images; None where it can."""
    strangers, needed = int(pairs.strangers.sum()), math.ceil(MIN_STRANGERS_ACCEPTED / fpr)
    if strangers >= needed:
        return None
    more = math.sqrt(needed / max(strangers, 1))
    queries, images = (math.ceil(more * len(labels)) for labels in (pairs.query, pairs.gallery))
    return unverified(
        f"Too few images: {strangers:,} pairs of strangers don't tell a rate of {fpr:g}, {needed:,} do: about "
        f"{queries:,} queries and {images:,} gallery images.",
        MORE_IMAGES,
    )


def judge_operating_point(tried: Tried, pairs: Pairs, limits: Thresholds) -> Finding:
    """Judge what the threshold accepts, strangers first.

    It fails when strangers pass more than `max_fpr_ratio` times as often as on the anchor, or right pairs more than
    `max_tpr_loss` less often than the weaker side accepts of its own: in both cases the whole interval must lie beyond.
    """
    identities = int((tried.here.all_right > 0).sum())
    if identities < limits.min_identities:
        return unverified(
            f"Too few images: right pairs of {identities} identities, {limits.min_identities} are needed.", MORE_IMAGES
        )
    strangers = pairs.strangers
    excess = pairs_bootstrap(tried.here.strangers - limits.max_fpr_ratio * tried.there.strangers, strangers)
    gain = ratio_bootstrap(tried.here.right - tried.weaker.right, tried.here.all_right)
    fpr, most = (_rate(found, pairs) for found in (tried.here, tried.there))
    details = _details(tried, fpr, gain)
    why = _text(tried, fpr, gain)
    if excess.low > 0:
        why = f"Strangers pass more than {limits.max_fpr_ratio:g} times as often. {why}"
        return measured(False, why, fpr, limits.max_fpr_ratio * most, details)
    if gain.high < -limits.max_tpr_loss:
        why = f"Right pairs are turned away, more than {100 * limits.max_tpr_loss:g} points beyond chance. {why}"
        return measured(False, why, tried.here.tpr - tried.weaker.tpr, -limits.max_tpr_loss, details)
    if tried.weaker.tpr <= 2 * limits.max_tpr_loss:
        why = f"At this rate even the weaker side accepts next to nothing, so that there is little to lose. {why}"
        return replace(unverified(why, "sfsc-deploy verify-compat ... --fpr RATE, a larger one"), details=details)
    return measured(True, why, fpr, limits.max_fpr_ratio * most, details)


def _rate(found: Accepted, pairs: Pairs) -> float:
    return float(found.strangers.sum() / pairs.strangers.sum())


def _text(tried: Tried, fpr: float, gain: Interval) -> str:
    change, shift = tried.here.tpr - tried.weaker.tpr, tried.restoring - tried.threshold
    return (
        f"At {tried.threshold:.4f}, tuned on {tried.anchor} for a false positive rate of {tried.fpr:g}, it has "
        f"{fpr:.2g} here, and accepts {percent(tried.here.tpr)} of the right pairs; the weaker self-test, tuned for "
        f"itself, {percent(tried.weaker.tpr)} ({points(change)} points, 95 % interval {points(gain.low)} to "
        f"{points(gain.high)}). A threshold of {tried.restoring:.4f} ({shift:+.4f}) would restore the rate."
    )


def _details(tried: Tried, fpr: float, gain: Interval) -> dict[str, float | str]:
    return {
        "anchor": tried.anchor,
        "threshold": tried.threshold,
        "fpr": fpr,
        "tpr": tried.here.tpr,
        "tpr_anchor": tried.there.tpr,
        "tpr_weaker": tried.weaker.tpr,
        "low": gain.low,
        "high": gain.high,
        "restoring_threshold": tried.restoring,
        "shift": tried.restoring - tried.threshold,
    }
