"""The comparison drawn: the cross-test matrix of each contender, all on one scale of colours."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from sfsc_deploy.comparing.comparison import Comparison, Standing
from sfsc_deploy.comparing.table import title
from sfsc_deploy.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#333333"
_COLUMNS = 3


def draw(file: Path, comparison: Comparison) -> None:
    """Writes a PNG."""
    from matplotlib.figure import Figure

    standings = comparison.standings
    lines = math.ceil(len(standings) / _COLUMNS)
    figure = Figure(figsize=(11, 3.4 * lines + 0.6), dpi=110, layout="constrained")
    figure.suptitle(f"{title(comparison)}\nmAP in %; query by gallery", color=_INK, fontsize=11)
    fields = figure.subplots(lines, _COLUMNS, squeeze=False).ravel().tolist()
    top = max(standing.matrix.max() for standing in standings)
    for axes, standing in zip(fields, standings, strict=False):
        _matrix(axes, standing, top)
    for axes in fields[len(standings) :]:
        axes.set_axis_off()
    with replacing(file) as beside:
        figure.savefig(beside, format="png")


def _matrix(axes: "Axes", standing: Standing, top: float) -> None:
    matrix = standing.matrix
    axes.imshow(matrix, cmap="YlGnBu", vmin=0, vmax=1.15 * top)
    for query, row in enumerate(matrix):
        for gallery, value in enumerate(row):
            colour = "white" if value > 0.65 * top else _INK
            axes.text(gallery, query, f"{100 * value:.1f}", ha="center", va="center", fontsize=9, color=colour)
    names = [f"{width:g}" for width in standing.widths]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_title(f"{standing.contender.name}: mean {100 * standing.mean.mean:.1f}", color=_INK, fontsize=10)
