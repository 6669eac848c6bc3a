"""The comparison drawn: the cross-test matrix of each contender, all on one scale of colours."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from sfsc_deploy.comparing.comparison import Comparison, Standing
from sfsc_deploy.comparing.table import title
from sfsc_deploy.pictures import INK, figure_of, heat_map, write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3


def draw(file: Path, comparison: Comparison) -> None:
    """Writes a PNG."""
    standings = comparison.standings
    lines = math.ceil(len(standings) / _COLUMNS)
    figure = figure_of(11, 3.4 * lines + 0.6)
    figure.suptitle(f"{title(comparison)}\nmAP in %; query by gallery", color=INK, fontsize=11)
    fields = figure.subplots(lines, _COLUMNS, squeeze=False).ravel().tolist()
    top = max(standing.matrix.max() for standing in standings)
    for axes, standing in zip(fields, standings, strict=False):
        _matrix(axes, standing, top)
    for axes in fields[len(standings) :]:
        axes.set_axis_off()
    write_png(figure, file)


def _matrix(axes: "Axes", standing: Standing, top: float) -> None:
    values = standing.matrix.tolist()

    def text(query: int, gallery: int) -> str:
        return f"{100 * values[query][gallery]:.1f}"

    names = [f"{width:g}" for width in standing.widths]
    heat_map(axes, values, names, text, span=(0, 1.15 * top), dark=0.65 * top, size=9)
    axes.set_title(f"{standing.contender.name}: mean {100 * standing.mean.mean:.1f}", color=INK, fontsize=10)
