"""Is each stored row that of its image? What another sub-model of the space makes of the images tells."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import Labels
from sfsc_deploy.verification.fit import Fit, compare
from sfsc_deploy.verification.judgement import MORE_IMAGES, percent
from sfsc_deploy.verification.thresholds import MIN_IMAGES, MIN_OWN_ROWS, MIN_SEEN, SURE_OWN_ROWS
from sfsc_deploy.verification.verdict import Finding, measured, unverified

_NAMED = 3


def own_row(
    made: NDArray[np.float32],
    stored: NDArray[np.float32],
    labels: Labels,
    paths: Sequence[str],
    least: float | None = None,
) -> Finding:
    """Is every stored row that of its image, as far as these images can tell?

    Args:
        made: float32 [G, D], what the artifact makes of the images.
        stored: float32 [G, D], the rows that are said to be theirs.
        labels: of the images.
        paths: of the images; empty where they are no files.
        least: the cosine that both rows of an image have at least, where one sub-model made both.
    """
    fit = compare(made, stored, labels)
    told = np.flatnonzero(~np.isnan(fit.nearer))
    if len(told) < MIN_IMAGES:
        return unverified(f"Only {len(told)} images have others to be compared with.", MORE_IMAGES)
    return _misplaced(fit, paths) or _far(fit, paths, least) or _judge(fit, told, paths)


def _misplaced(fit: Fit, paths: Sequence[str]) -> Finding | None:
    wrong = np.flatnonzero(fit.home != np.arange(len(fit.home)))
    if not wrong.size:
        return None
    named = ", ".join(f"that of {_name(paths, row)} fits {_name(paths, fit.home[row])}" for row in wrong[:_NAMED])
    why = f"The stored rows of {wrong.size} of {len(fit.own)} images are surely those of others: {named}."
    return measured(False, why, int(wrong.size), 0)


def _far(fit: Fit, paths: Sequence[str], least: float | None) -> Finding | None:
    if least is None or float(fit.own.min()) >= least:
        return None
    far = np.argsort(fit.own, kind="stable")[: (fit.own < least).sum()]
    named = ", ".join(_name(paths, row) for row in far[:_NAMED])
    why = (
        f"The same sub-model made the stored rows, but those of {far.size} of {len(fit.own)} images have a cosine of "
        f"less than {least:g} to what the artifact makes of them, as {named}."
    )
    return measured(False, why, float(fit.own.min()), least)


def _judge(fit: Fit, told: NDArray[np.int64], paths: Sequence[str]) -> Finding:
    share, why = _nearer(fit, told, paths)
    if share < MIN_OWN_ROWS:
        why += " They are of other images, of another space, or of images that the artifact can't tell apart."
        return measured(False, why, share, MIN_OWN_ROWS)
    if share < SURE_OWN_ROWS:
        return unverified(f"{why} Whether these are right can't be told; look at their images.", MORE_IMAGES)
    why += f" If the rows of two identities were swapped, {percent(fit.seen)} of such pairs would show"
    if fit.seen < MIN_SEEN:
        return unverified(f"{why}; {percent(MIN_SEEN)} are needed.", MORE_IMAGES)
    return measured(True, f"{why}.", share, SURE_OWN_ROWS, {"seen": fit.seen})


def _nearer(fit: Fit, told: NDArray[np.int64], paths: Sequence[str]) -> tuple[float, str]:
    beats = fit.nearer[told] > 0.5
    share, strange = float(beats.mean()), told[~beats]
    named = ", ".join(_name(paths, row) for row in strange[np.argsort(fit.nearer[strange])][:_NAMED])
    why = (
        f"The stored rows of {percent(share)} of {len(told)} images are nearer to what the artifact makes of them than "
        "most rows of other identities; of wrong rows half would be."
    )
    return share, why + (f" Not: {named}." if named else "")


def _name(paths: Sequence[str], row: np.int64) -> str:
    return paths[int(row)] or f"image {row}"
