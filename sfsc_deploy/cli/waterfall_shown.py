"""What `verify-compat` shows of the way from the reference to each artifact."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sfsc_deploy.verification.summary import untold

if TYPE_CHECKING:
    from sfsc_deploy.verification import Verdict
    from sfsc_deploy.verification.waterfall import Waterfall


def show_waterfalls(verdict: "Verdict", names: Mapping[str, str], console: Console) -> None:
    """Print a table for each artifact, and below it what could not be measured and why."""
    for waterfall in verdict.waterfalls:
        console.print(_table(waterfall, names[waterfall.artifact]))
        for why, steps, command in untold(waterfall):
            remedy = f"\n→ {command}" if command else ""
            console.print(f"Not measured: {steps}: {why}{remedy}", soft_wrap=True)
        console.print()


def _table(waterfall: "Waterfall", name: str) -> Table:
    table = Table(title=f"{name}: from the reference to the device, on the probe", title_justify="left")
    for heading in ("step", "least cosine", "1st percentile", "median", "largest difference", "mAP", "mAP in all"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for row in _rows(waterfall):
        table.add_row(*row)
    return table


def _rows(waterfall: "Waterfall") -> Iterator[tuple[str, ...]]:
    for step in waterfall.measured:
        assert step.change is not None
        assert step.total is not None
        cosines = (step.change.min_cosine, step.change.p1_cosine, step.change.median_cosine)
        changes = (step.change.map_change, step.total.map_change)
        yield (
            step.name,
            *(f"{cosine:.9f}" for cosine in cosines),
            f"{step.change.max_difference:.1e}",
            *("" if change is None else f"{100 * change:+.2f}" for change in changes),
        )
