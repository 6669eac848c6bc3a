"""The cross-test matrix as a table whose colours follow its figures."""

from collections.abc import Mapping

from sfsc_deploy.verification.report.markup import Html, joined, tag
from sfsc_deploy.verification.report.texts import percent
from sfsc_deploy.verification.summary import missed
from sfsc_deploy.verification.verdict import Cell, Verdict

_FAINT, _STRONG = 0.06, 0.5  # of the colour: text must stay readable on it


def heat_map(verdict: Verdict, names: Mapping[str, str]) -> Html:
    """A row for each artifact that embeds the queries, a column for each that embeds the gallery.

    Args:
        verdict: whose matrix it is.
        names: what each artifact is called.
    """
    if not verdict.matrix:
        return tag("p", "No cross-test could be measured.")
    cells = {(cell.query, cell.gallery): cell for cell in verdict.matrix}
    below, span = missed(verdict), _span(verdict)
    head = tag("tr", tag("th", "query \\ gallery"), *(tag("th", name, scope="col") for name in names.values()))
    rows = (
        tag(
            "tr",
            tag("th", name, scope="row"),
            *(_cell(cells.get((query, gallery)), span, (query, gallery) in below) for gallery in names),
        )
        for query, name in names.items()
    )
    told = f"mAP in percent, its 95 % interval, and rank-1, on {verdict.images}. ▼ misses the criterion."
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="heat")
    return joined(tag("p", told), tag("div", table, class_="wide"))


def _span(verdict: Verdict) -> tuple[float, float]:
    found = [cell.map for cell in verdict.matrix]
    return min(found), max(found)


def _cell(cell: Cell | None, span: tuple[float, float], is_below: bool) -> Html:
    if cell is None:
        return tag("td", "·")
    low, high = span
    share = (cell.map - low) / (high - low) if high > low else 1.0
    strength = _FAINT + (_STRONG - _FAINT) * share
    interval = cell.map_ci95
    around = f"{percent(interval.low)} to {percent(interval.high)}" if interval else "no interval"
    return tag(
        "td",
        tag("strong", ("▼ " if is_below else "") + percent(cell.map)),
        tag("small", around),
        tag("small", f"rank-1 {percent(cell.rank1)}"),
        style=f"background: rgb(45 120 230 / {strength:.2f})",
        **({"class_": "below"} if is_below else {}),
    )
