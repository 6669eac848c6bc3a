"""The steps from the reference to an artifact as a drawing: how far each takes the worst row, one below the other."""

from collections.abc import Iterator

from sfsc_deploy.verification.report.histogram import DECADES, place_of
from sfsc_deploy.verification.report.markup import Html, joined, tag
from sfsc_deploy.verification.summary import untold
from sfsc_deploy.verification.waterfall import Figures, Step, Waterfall

_WIDTH, _ROW, _ABOVE, _AXIS = 480, 34, 4, 18
_THINNEST = 2.0


def waterfall_drawing(waterfall: Waterfall, name: str, limit: float | None) -> Html:
    """A bar for each measured step; the last bar is all of them together.

    Args:
        waterfall: of one artifact.
        name: what the artifact is called.
        limit: the least cosine that fidelity allows it; None where that wasn't judged.
    """
    rows = list(_rows(waterfall))
    height = _ABOVE + _ROW * len(rows) + _AXIS
    parts = (part for place, (label, figures) in enumerate(rows) for part in _bar(place, label, figures, limit))
    box = f"0 0 {_WIDTH} {height}"
    title = tag("title", f"{name}: least cosine and change of mAP, step by step")
    drawing = tag(
        "svg", title, *parts, *_limit(limit, height), _axis(height), viewBox=box, role="img", class_="waterfall"
    )
    return tag("figure", tag("figcaption", tag("code", name)), *([drawing] if rows else []), *_untold(waterfall))


def _rows(waterfall: Waterfall) -> Iterator[tuple[str, Figures]]:
    last: Step | None = None
    for last in waterfall.measured:
        assert last.change is not None
        yield last.name, last.change
    if last is not None and last.total is not None and len(waterfall.measured) > 1:
        yield "in all", last.total


def _bar(place: int, label: str, figures: Figures, limit: float | None) -> tuple[Html, ...]:
    top = _ABOVE + _ROW * place
    beyond = limit is not None and figures.min_cosine < limit
    width = max(_THINNEST, _WIDTH * place_of(figures.min_cosine))
    words = f"cosine {figures.min_cosine:.6f}{_points(figures.map_change)}"
    return (
        tag("text", label, x="0", y=f"{top + 13}", class_="step"),
        tag("text", words, x=str(_WIDTH), y=f"{top + 13}", text_anchor="end"),
        tag(
            "rect", x="0", y=f"{top + 18}", width=f"{width:.1f}", height="9", **({"class_": "beyond"} if beyond else {})
        ),
    )


def _points(change: float | None) -> str:
    return "" if change is None else f", mAP {100 * change:+.2f}"


def _limit(limit: float | None, height: int) -> Iterator[Html]:
    if limit is not None:
        x = f"{_WIDTH * place_of(limit):.1f}"
        yield tag("line", x1=x, x2=x, y1=str(_ABOVE), y2=str(height - _AXIS), class_="limit")


def _axis(height: int) -> Html:
    base = height - _AXIS
    line = tag("line", x1="0", x2=str(_WIDTH), y1=str(base), y2=str(base), class_="axis")
    marks = (
        tag("text", text, x=str(x), y=str(height - 5), text_anchor=anchor)
        for text, x, anchor in ((f"1e-{DECADES}", 0, "start"), ("1e-6", _WIDTH // 2, "middle"), ("1", _WIDTH, "end"))
    )
    return joined(line, *marks)


def _untold(waterfall: Waterfall) -> Iterator[Html]:
    for why, steps, command in untold(waterfall):
        more = (" ", tag("code", command)) if command else ()
        yield tag("p", f"Not measured: {steps}. {why}", *more, class_="untold")
