"""Tables that more than one command prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

Matrix = Sequence[Sequence[float]]
BELOW = "▼"
UNKNOWN = "·"


@dataclass(frozen=True)
class Score:
    """A cell of the matrix: mAP and rank-1 in 0..1, and whether it is marked."""

    map: float
    rank1: float
    below: bool


def evaluation_table(names: Sequence[str], mean_ap: Matrix, rank1: Matrix, title: str) -> Table:
    """The matrix of an evaluation; a cell below the self-test of the weaker of its two models is marked.

    Args:
        names: of the N models.
        mean_ap: [N, N], `mean_ap[query][gallery]` in 0..1.
        rank1: likewise.
        title: what stands above.
    """
    size = range(len(names))
    scores = {
        (names[q], names[g]): Score(mean_ap[q][g], rank1[q][g], mean_ap[q][g] < min(mean_ap[q][q], mean_ap[g][g]))
        for q in size
        for g in size
    }
    return matrix_table(names, scores, title)


def matrix_table(
    names: Sequence[str],
    scores: Mapping[tuple[str, str], Score],
    title: str,
    legend: str = "below the self-test of the weaker model",
) -> Table:
    """A cross-test matrix in percent, "mAP / rank-1".

    Args:
        names: the models: a row for each as the one that embeds the queries, a column as the gallery's.
        scores: by query model and gallery model; what is missing could not be measured.
        title: what stands above.
        legend: what the mark of a cell means.
    """
    table = Table(title=title, title_justify="left", caption=_caption(names, scores, legend), caption_justify="left")
    table.add_column("query \\ gallery", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    for query in names:
        table.add_row(query, *(_cell(scores.get((query, gallery))) for gallery in names))
    return table


def _cell(score: Score | None) -> str:
    if score is None:
        return UNKNOWN
    mark = f"{BELOW} " if score.below else ""
    return f"{mark}{100 * score.map:.1f} / {100 * score.rank1:.1f}"


def _caption(names: Sequence[str], scores: Mapping[tuple[str, str], Score], legend: str) -> str:
    marked = f"; {BELOW} {legend}" if any(score.below for score in scores.values()) else ""
    unknown = f"; {UNKNOWN} not measured" if len(scores) < len(names) ** 2 else ""
    return f"mAP / rank-1 in percent{marked}{unknown}"
