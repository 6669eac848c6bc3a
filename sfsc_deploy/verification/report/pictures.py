"""The images behind the worst figures, as parts of the page."""

from collections.abc import Iterator, Sequence

from sfsc_deploy.verification.exhibits import Exhibits, Found, LostQuery, Picture
from sfsc_deploy.verification.report.markup import Html, picture, tag
from sfsc_deploy.verification.report.texts import figure


def row_pictures(exhibits: Exhibits, artifact: str) -> Iterator[Html]:
    """The rows of an artifact that are furthest from their reference; nothing where none is shown."""
    shown = [
        tag("li", picture(row.picture.png, row.name), f"{figure(row.cosine)}: {row.name}")
        for row in exhibits.rows
        if row.artifact == artifact and row.picture is not None
    ]
    if shown:
        yield tag("ul", *shown, class_="pictures")


def lost_pictures(lost: Sequence[LostQuery]) -> Html:
    """A row for each query: what was searched for, what came first before, what comes first now."""
    headings = ("query", "found first by itself", "finds first in this gallery")
    head = tag("thead", tag("tr", *(tag("th", heading, scope="col") for heading in headings)))
    return tag("div", tag("table", head, tag("tbody", *map(_row, lost)), class_="lost"), class_="wide")


def _row(lost: LostQuery) -> Html:
    ranks = f"first match at rank {lost.rank_before}", f"first match at rank {lost.rank_now}"
    return tag(
        "tr", tag("td", *_shown(lost.query)), _cell(lost.found_before, ranks[0]), _cell(lost.found_now, ranks[1])
    )


def _cell(found: Found, rank: str) -> Html:
    told = "right" if found.right else "wrong"
    return tag("td", *_shown(found.picture), tag("small", f"{told}; {rank}"), class_=told)


def _shown(shown: Picture) -> tuple[Html, Html]:
    return picture(shown.png, shown.name), tag("small", f"{shown.name} ")
