"""What people would rather look at: curves and matrices, drawn with matplotlib."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.evaluation import Evaluation
from sfsc_deploy.files import replacing
from sfsc_deploy.neighbours import Neighbours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Matrix = Sequence[Sequence[float]]

INK = "#333333"
"""Of text and frames."""
_RIGHT = "#2e8b57"
_WRONG = "#c0392b"


def draw_training(file: Path, steps: Sequence[Mapping[str, Any]], evaluation: Evaluation) -> None:
    """Draws losses, uncertainty and the cross-test matrix of a run.

    Args:
        file: PNG to write.
        steps: the lines of ``metrics.jsonl``: ``step``, ``loss`` and ``uncertainty`` of each width, ``conflicting``.
        evaluation: the final one.
    """
    figure = figure_of(15, 4.2)
    losses, uncertainties, matrix = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    for row, name in enumerate(evaluation.names):
        _curve(losses, steps, [step["loss"][row] for step in steps], f"x {name}")
        _curve(uncertainties, steps, [step["uncertainty"][row] for step in steps], f"x {name}")
    _curve(uncertainties, steps, [step["conflicting"] for step in steps], "conflicting pairs", colour="#999999")
    _label(losses, "Loss of each width", "step")
    _label(uncertainties, "Uncertainty u = K / S", "step")
    uncertainties.set_yscale("log")
    _matrix(matrix, evaluation)
    write_png(figure, file)


def draw_neighbours(file: Path, title: str, neighbours: Neighbours) -> None:
    """Draws a row for each query: the query, and what it found, framed green where right and red where wrong."""
    count, depth = neighbours.right.shape
    figure = figure_of(1.05 * (depth + 1.2), 1.05 * count + 0.5)
    figure.suptitle(title, color=INK, fontsize=10)
    rows = figure.subplots(count, depth + 1, squeeze=False)
    for row, axes in enumerate(rows):
        _image(axes[0], neighbours.queries[row], INK)
        for rank, cell in enumerate(axes[1:]):
            _image(cell, neighbours.found[row, rank], _RIGHT if neighbours.right[row, rank] else _WRONG)
    write_png(figure, file)


def _image(axes: "Axes", image: NDArray[np.uint8], frame: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=frame, linewidth=2.5)


def figure_of(width: float, height: float) -> "Figure":
    """An empty figure of this size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def _curve(
    axes: "Axes",
    steps: Sequence[Mapping[str, Any]],
    values: Sequence[float | None],
    label: str,
    colour: str | None = None,
) -> None:
    axes.plot([step["step"] for step in steps], _smooth(values), label=label, linewidth=1.4, color=colour)


def _smooth(values: Sequence[float | None], weight: float = 0.95) -> list[float]:
    """Exponential moving average without the bias of its start; gaps stay gaps."""
    smoothed, average, total = [], 0.0, 0.0
    for value in values:
        if value is None:
            smoothed.append(math.nan)
            continue
        average = weight * average + (1 - weight) * value
        total = weight * total + (1 - weight)
        smoothed.append(average / total)
    return smoothed


def _label(axes: "Axes", title: str, below: str) -> None:
    axes.set_title(title, color=INK)
    axes.set_xlabel(below)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def heat_map(
    axes: "Axes",
    values: Matrix,
    names: Sequence[str],
    text: Callable[[int, int], str],
    *,
    span: tuple[float, float],
    dark: float,
    size: int,
) -> None:
    """Draws a matrix, queries by gallery, with text in every cell.

    Args:
        axes: to draw on.
        values: a row for each query model.
        names: of the models.
        text: of the cell of a query model and a gallery model, by their numbers.
        span: values of the faintest and of the strongest colour.
        dark: above which value text is white.
        size: of the text.
    """
    axes.imshow(values, cmap="YlGnBu", vmin=span[0], vmax=span[1])
    for query, row in enumerate(values):
        for gallery, value in enumerate(row):
            colour = "white" if value > dark else INK
            axes.text(gallery, query, text(query, gallery), ha="center", va="center", fontsize=size, color=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)


def _matrix(axes: "Axes", evaluation: Evaluation) -> None:
    low, high = min(map(min, evaluation.map)), max(map(max, evaluation.map))

    def text(query: int, gallery: int) -> str:
        return f"{100 * evaluation.map[query][gallery]:.1f}\n{100 * evaluation.rank1[query][gallery]:.1f}"

    span, dark = (low - 0.1, high + 0.1), (low + high) / 2 + 0.05
    heat_map(axes, evaluation.map, evaluation.names, text, span=span, dark=dark, size=8)
    if len(evaluation.names) > 4:
        axes.tick_params(axis="x", labelrotation=30)
    axes.set_xlabel("gallery")
    axes.set_ylabel("query")
    axes.set_title(f"mAP over rank-1 in %, {evaluation.data}", color=INK)


def write_png(figure: "Figure", file: Path) -> None:
    """Writes a figure, whole or not at all."""
    with replacing(file) as beside:
        figure.savefig(beside, format="png")
