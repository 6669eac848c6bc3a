"""Tables that more than one command prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

Matrix = Sequence[Sequence[float]]
BELOW = "▼"


def matrix_table(names: Sequence[str], mean_ap: Matrix, rank1: Matrix, *, title: str = "Cross-test") -> "Table":
    """The cross-test matrix, a row a query model and a column a gallery model.

    Args:
        names: the models, in the order of rows and columns; N of them.
        mean_ap: [N, N] mAP in 0..1, `mean_ap[query][gallery]`.
        rank1: [N, N] rank-1 in 0..1.
        title: what stands above.

    Returns:
        A table in percent, "mAP / rank-1"; a cell below the self-test of the weaker of its two models is marked.
    """
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption=_caption(mean_ap), caption_justify="left")
    table.add_column("query \\ gallery", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for row, name in enumerate(names):
        table.add_row(name, *(_cell(mean_ap, rank1, row, column) for column in range(len(names))))
    return table


def below_criterion(mean_ap: Matrix, query: int, gallery: int) -> bool:
    """Whether a cross-test is below the self-test of the weaker of its two models (on mAP)."""
    weaker = min(mean_ap[query][query], mean_ap[gallery][gallery])
    return mean_ap[query][gallery] < weaker


def _cell(mean_ap: Matrix, rank1: Matrix, query: int, gallery: int) -> str:
    mark = f"{BELOW} " if below_criterion(mean_ap, query, gallery) else ""
    return f"{mark}{100 * mean_ap[query][gallery]:.1f} / {100 * rank1[query][gallery]:.1f}"


def _caption(mean_ap: Matrix) -> str:
    size = range(len(mean_ap))
    marked = any(below_criterion(mean_ap, query, gallery) for query in size for gallery in size)
    explained = f"; {BELOW} below the self-test of the weaker model" if marked else ""
    return f"mAP / rank-1 in percent{explained}"
