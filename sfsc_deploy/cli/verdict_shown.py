"""What `verify-compat` shows of a verdict."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sfsc_deploy.cli.tables import Score, matrix_table
from sfsc_deploy.cli.waterfall_shown import show_waterfalls
from sfsc_deploy.verification.summary import (
    Objection,
    conclusion,
    consequences,
    missed,
    objections,
    remarks,
    short_names,
)

if TYPE_CHECKING:
    from sfsc_deploy.verification import Check, Status, Verdict

MARKS = {"PASS": "✓", "FAIL": "✗", "UNVERIFIED": "?"}
COLOURS = {"PASS": "green", "FAIL": "red", "UNVERIFIED": "yellow"}


def show(verdict: "Verdict", console: Console, *, waterfall: bool = False) -> None:
    """Print the artifacts, the checks on each, the cross-tests, what does not hold and why, and the verdict.

    Args:
        verdict: what was found.
        console: where to.
        waterfall: print the steps from the reference to each artifact, too.
    """
    names = short_names([artifact.name for artifact in verdict.artifacts])
    tables = [_artifact_table(verdict, names), _check_table(verdict, names)]
    if verdict.matrix:
        tables.append(_matrix(verdict, names))
    for table in tables:
        console.print(table, "")
    for line in _left_open(verdict, names):
        console.print(line, soft_wrap=True)
    if waterfall:
        show_waterfalls(verdict, names, console)
    for objection in objections(verdict):
        console.print(_paragraph(objection), "", soft_wrap=True, sep="\n")
    for remark in remarks(verdict):
        console.print(remark, soft_wrap=True)
    console.print(conclusion(verdict), style=f"bold {COLOURS[verdict.status.value]}")


def _left_open(verdict: "Verdict", names: Mapping[str, str]) -> Iterator[str]:
    """What each `?` stands for whose cause is another artifact, and an empty line below."""
    found = consequences(verdict)
    for each in found:
        others = ", ".join(names[other] for other in each.others)
        state = "failed" if each.status.value == "FAIL" else "could not be told"
        yield (
            f"{MARKS['UNVERIFIED']} {names[each.artifact]}: {each.check} with {others} was not possible: there "
            f"{each.cause} {state}, see below"
        )
    if found:
        yield ""


def _artifact_table(verdict: "Verdict", names: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "artifact", "kind", "width", "precision", "space", "run by"):
        table.add_column(heading, overflow="fold")
    for artifact in verdict.artifacts:
        table.add_row(
            _mark(verdict.status_of(artifact.name)),
            names[artifact.name],
            artifact.kind,
            "" if artifact.width is None else f"{artifact.width:g}",
            artifact.precision or "",
            (artifact.space or "")[:12],
            artifact.backend or "not run",
        )
    return table


def _check_table(verdict: "Verdict", names: Mapping[str, str]) -> Table:
    from sfsc_deploy.verification.verdict import CHECKS, ON_REQUEST

    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    for artifact in verdict.artifacts:
        table.add_column(names[artifact.name], justify="center", overflow="fold")
    for name in CHECKS:
        checks = [check for check in verdict.checks if check.name == name]
        if checks or name not in ON_REQUEST:
            table.add_row(name, *(_mark_of(checks, artifact.name) for artifact in verdict.artifacts))
    return table


def _mark_of(checks: "Sequence[Check]", artifact: str) -> Text | str:
    """The worst of the checks that concern an artifact; empty where none does."""
    from sfsc_deploy.verification.verdict import worst

    concerned = [check.status for check in checks if check.concerns(artifact)]
    return _mark(worst(concerned)) if concerned else ""


def _mark(status: "Status") -> Text:
    return Text(MARKS[status.value], style=COLOURS[status.value])


def _matrix(verdict: "Verdict", names: Mapping[str, str]) -> Table:
    """The cross-tests; the criterion's own verdict, with its interval, decides which are marked."""
    below = missed(verdict)
    scores = {
        (names[cell.query], names[cell.gallery]): Score(cell.map, cell.rank1, (cell.query, cell.gallery) in below)
        for cell in verdict.matrix
    }
    legend = "misses the criterion"
    return matrix_table(list(names.values()), scores, f"Cross-test on {verdict.images}", legend)


def _paragraph(objection: Objection) -> str:
    remedy = f"\n→ {objection.command}" if objection.command else ""
    checks = ", ".join(objection.checks)
    return f"{MARKS[objection.status.value]} {objection.place}: {checks}: {objection.why}{remedy}"
