"""Does a threshold that was tuned elsewhere hold for a pair, as far as its images can tell?"""

import math
from collections.abc import Mapping
from dataclasses import replace

from sfsc_deploy.metrics import Interval
from sfsc_deploy.verification.judgement import MORE_IMAGES, percent, points
from sfsc_deploy.verification.operating_point.acceptance import Accepted, Pairs
from sfsc_deploy.verification.operating_point.trying import Tried
from sfsc_deploy.verification.thresholds import MIN_STRANGERS_ACCEPTED, Thresholds
from sfsc_deploy.verification.verdict import Finding, Status, unverified

_ANOTHER_RATE = "sfsc-deploy verify-compat ... --fpr RATE, a larger one"
_GRAVEST_FIRST = (Status.FAIL, Status.UNVERIFIED, Status.PASS)


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

    Strangers may not pass more than `max_fpr_ratio` times as often as on the anchor, nor right pairs more than
    `max_tpr_loss` less often than the weaker side accepts of its own. It fails where one of the two intervals lies
    beyond its limit, and passes only where both lie within. Unlike that of the criterion, whose mAP
    may lose nothing, these limits leave room: what is sound can be proven with images enough, so that less need not
    pass.
    """
    obstacle = _obstacle(tried, limits)
    if obstacle is not None:
        return obstacle
    found = (_of_strangers(tried, pairs, limits.max_fpr_ratio), _of_right_pairs(tried, limits.max_tpr_loss))
    told = replace(_decisive(*found, tried.weaker.tpr, limits), details=_details(tried, pairs))
    return replace(told, why=f"{told.why} {_text(tried, pairs)}".lstrip())


def _obstacle(tried: Tried, limits: Thresholds) -> Finding | None:
    """Why nothing can be said of a pair, whatever passes."""
    if tried.identities < limits.min_identities:
        return unverified(
            f"Too few images: right pairs of {tried.identities} identities, {limits.min_identities} are needed.",
            MORE_IMAGES,
        )
    passing = int(tried.there.strangers.sum())
    if passing < MIN_STRANGERS_ACCEPTED:
        return unverified(
            f"Scores of {tried.anchor} tie: above the lowest threshold for a rate of {tried.fpr:g} lie {passing} pairs "
            f"of strangers, which tell no rate; {MIN_STRANGERS_ACCEPTED} do.",
            _ANOTHER_RATE,
        )
    return None


def _decisive(strangers: Finding, right: Finding, weaker_tpr: float, limits: Thresholds) -> Finding:
    """The graver of two findings, of equal ones that of the strangers; unless nothing failed that could."""
    gravest = min((strangers, right), key=lambda found: _GRAVEST_FIRST.index(found.status))
    if gravest.status is not Status.FAIL and weaker_tpr <= 2 * limits.max_tpr_loss:
        why = "At this rate even the weaker side accepts next to nothing, so that there is little to lose."
        return unverified(why, _ANOTHER_RATE)
    return gravest


def _of_strangers(tried: Tried, pairs: Pairs, most: float) -> Finding:
    status, anchor_fpr = tried.strangers_passing(most).status, _rate(tried.there, pairs)
    says = {
        Status.FAIL: f"Strangers pass more than {most:g} times as often.",
        Status.UNVERIFIED: f"These images don't tell whether strangers pass more than {most:g} times as often.",
    }
    return _finding(status, says, _rate(tried.here, pairs), most * anchor_fpr)


def _of_right_pairs(tried: Tried, most: float) -> Finding:
    says = {
        Status.FAIL: f"Right pairs are turned away, more than {100 * most:g} points beyond chance.",
        Status.UNVERIFIED: "These images don't tell whether right pairs are turned away by more than "
        f"{100 * most:g} points.",
    }
    return _finding(tried.loss(most).status, says, tried.gain[0], -most)


def _finding(status: Status, says: Mapping[Status, str], value: float, threshold: float) -> Finding:
    command = MORE_IMAGES if status is Status.UNVERIFIED else None
    return Finding(status=status, why=says.get(status, ""), value=value, threshold=threshold, command=command)


def _rate(found: Accepted, pairs: Pairs) -> float:
    return float(found.strangers.sum() / pairs.strangers.sum())


def _text(tried: Tried, pairs: Pairs) -> str:
    (ratio, strangers), (change, right) = tried.ratio, tried.gain
    shift = tried.restoring - tried.threshold
    return (
        f"At {tried.threshold:.4f}, tuned on {tried.anchor} for a false positive rate of {tried.fpr:g}, it has "
        f"{_rate(tried.here, pairs):.2g} here, {ratio:.2f} times that of {tried.anchor} (95 % interval "
        f"{strangers.low:.2f} to {_upper(strangers)}), and accepts {percent(tried.here.tpr)} of the right pairs; the "
        f"weaker self-test, tuned for itself, {percent(tried.weaker.tpr)} ({points(change)} points, 95 % interval "
        f"{points(right.low)} to {points(right.high)}, {tried.identities} identities). A threshold of "
        f"{tried.restoring:.4f} ({shift:+.4f}) would restore the rate."
    )


def _upper(interval: Interval) -> str:
    return f"{interval.high:.2f}" if math.isfinite(interval.high) else "any number"


def _details(tried: Tried, pairs: Pairs) -> dict[str, float | str]:
    (ratio, strangers), (_, right) = tried.ratio, tried.gain
    return {
        "anchor": tried.anchor,
        "threshold": tried.threshold,
        "fpr": _rate(tried.here, pairs),
        "fpr_anchor": _rate(tried.there, pairs),
        "fpr_ratio": ratio,
        "fpr_ratio_low": strangers.low,
        "fpr_ratio_high": strangers.high,
        "tpr": tried.here.tpr,
        "tpr_anchor": tried.there.tpr,
        "tpr_weaker": tried.weaker.tpr,
        "low": right.low,
        "high": right.high,
        "restoring_threshold": tried.restoring,
        "shift": tried.restoring - tried.threshold,
    }
