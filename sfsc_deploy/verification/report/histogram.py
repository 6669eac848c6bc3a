"""How far the rows of an artifact are from their references, as a drawing of bars.

Sound artifacts have cosines of 0.99999 and more, so what is drawn is their distance 1 - cosine on a logarithmic scale.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.verification.report.markup import Html, joined, tag

DECADES = 12  # 1e-12, below which float32 embeddings can't differ, to 1
_BINS = 2 * DECADES
_WIDTH, _HEIGHT, _BELOW, _ABOVE = 480, 90, 18, 14


def histogram(cosines: Sequence[float], threshold: float) -> Html:
    """Bars over 1 - cosine, half a decade each, and a line at the threshold.

    Args:
        cosines: of each row to its reference; those that aren't finite are counted as far away.
        threshold: the least cosine that passes.
    """
    counts = _counts(np.asarray(cosines, np.float64))
    title = f"{len(cosines)} rows by their distance 1 - cosine to the reference; the threshold is {1 - threshold:.1e}"
    box = f"0 0 {_WIDTH} {_ABOVE + _HEIGHT + _BELOW}"
    parts = (*map(_bar, range(_BINS), counts, [max(counts)] * _BINS), _limit(threshold), _axis())
    return tag("svg", tag("title", title), *parts, viewBox=box, role="img", class_="histogram")


def place_of(cosine: float) -> float:
    """Where a cosine lies on the axis of 1 - cosine, 0 (1e-12 or less) to 1."""
    if not np.isfinite(cosine):
        return 1.0
    distance = float(np.clip(1 - cosine, 10.0**-DECADES, 1.0))
    return 1 + float(np.log10(distance)) / DECADES


def _counts(cosines: NDArray[np.float64]) -> list[int]:
    places = [place_of(float(cosine)) for cosine in cosines]
    bins = np.minimum(np.floor(np.array(places) * _BINS), _BINS - 1).astype(np.int64)
    return [int(count) for count in np.bincount(bins, minlength=_BINS)]


def _bar(place: int, count: int, most: int) -> Html:
    # A single wrong row is what matters most: no bar of one is too low to be seen.
    height = max(3.0, _HEIGHT * count / most) if count else 0.0
    step = _WIDTH / _BINS
    return tag(
        "rect",
        tag("title", f"{count} rows"),
        x=f"{place * step + 1:.1f}",
        y=f"{_ABOVE + _HEIGHT - height:.1f}",
        width=f"{step - 2:.1f}",
        height=f"{height:.1f}",
    )


def _limit(threshold: float) -> Html:
    x = f"{_WIDTH * place_of(threshold):.1f}"
    line = tag("line", x1=x, x2=x, y1=str(_ABOVE - 4), y2=str(_ABOVE + _HEIGHT), class_="limit")
    return joined(line, tag("text", "limit", x=x, y="9", text_anchor="middle", class_="limit"))


def _axis() -> Html:
    base = str(_ABOVE + _HEIGHT)
    line = tag("line", x1="0", x2=str(_WIDTH), y1=base, y2=base, class_="axis")
    marks = (
        tag("text", f"1e-{DECADES - decade}" if decade < DECADES else "1", **_at(decade))
        for decade in range(0, DECADES + 1, 3)
    )
    return joined(line, *marks)


def _at(decade: int) -> dict[str, str]:
    anchor = {0: "start", DECADES: "end"}.get(decade, "middle")
    return {"x": f"{_WIDTH * decade / DECADES:.0f}", "y": str(_ABOVE + _HEIGHT + 14), "text_anchor": anchor}
