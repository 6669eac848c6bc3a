"""What `verify-compat` shows of a verdict."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sfsc_deploy.cli.tables import Score, matrix_table

if TYPE_CHECKING:
    from sfsc_deploy.verification import Check, Status, Verdict

MARKS = {"PASS": "✓", "FAIL": "✗", "UNVERIFIED": "?"}
COLOURS = {"PASS": "green", "FAIL": "red", "UNVERIFIED": "yellow"}


def show(verdict: "Verdict", console: Console) -> None:
    """Print the artifacts, the checks on each, the cross-tests, what does not hold and why, and the verdict."""
    names = short_names([artifact.name for artifact in verdict.artifacts])
    tables = [_artifact_table(verdict, names), _check_table(verdict, names)]
    if verdict.matrix:
        tables.append(_matrix(verdict, names))
    for table in tables:
        console.print(table, "")
    for paragraph in _objections(verdict):
        console.print(paragraph, "", soft_wrap=True, sep="\n")
    console.print(_conclusion(verdict), style=f"bold {COLOURS[verdict.status.value]}")


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """What each is called in a table: its file name, where that tells them apart."""
    short = {path: Path(path).name for path in paths}
    return short if len(set(short.values())) == len(short) else {path: path for path in paths}


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
    from sfsc_deploy.verification import CHECKS

    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    for artifact in verdict.artifacts:
        table.add_column(names[artifact.name], justify="center", overflow="fold")
    for name in CHECKS:
        checks = [check for check in verdict.checks if check.name == name]
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
    missed = {
        (check.subject, check.gallery)
        for check in verdict.checks
        if check.name == "criterion" and check.status.value == "FAIL"
    }
    scores = {
        (names[cell.query], names[cell.gallery]): Score(cell.map, cell.rank1, (cell.query, cell.gallery) in missed)
        for cell in verdict.matrix
    }
    return matrix_table(list(names.values()), scores, f"Cross-test on {verdict.images}")


def _objections(verdict: "Verdict") -> Iterator[str]:
    """A paragraph for each cause, failures first; checks that share place and cause are told together."""
    causes: dict[tuple[str, str, str, str | None], list[str]] = {}
    for check in sorted(_roots(verdict), key=lambda check: check.status.value != "FAIL"):
        place = f"{check.subject} to {check.gallery}" if check.gallery else check.subject
        causes.setdefault((check.status.value, place, check.why, check.command), []).append(check.name)
    for (status, place, why, command), checks in causes.items():
        remedy = f"\n→ {command}" if command else ""
        yield f"{MARKS[status]} {place}: {', '.join(checks)}: {why}{remedy}"


def _roots(verdict: "Verdict") -> "list[Check]":
    """What stands against the fleet, without the mere consequences."""
    objections = [check for check in verdict.checks if check.status.value != "PASS"]
    return [check for check in objections if not any(_follows(check, cause) for cause in objections)]


def _follows(check: "Check", cause: "Check") -> bool:
    """Whether a check was not possible because of another one on the same artifact, whose reason it quotes."""
    shared = cause.concerns(check.subject) or (check.gallery is not None and cause.concerns(check.gallery))
    quotes = bool(cause.why) and cause.why != check.why and cause.why in check.why
    return check.status.value == "UNVERIFIED" and shared and quotes


def _conclusion(verdict: "Verdict") -> str:
    counts = {status: sum(check.status.value == status for check in verdict.checks) for status in MARKS}
    words = {
        "PASS": f"{len(verdict.artifacts)} artifacts, one space, all {counts['PASS']} checks passed.",
        "FAIL": f"{counts['FAIL']} of {len(verdict.checks)} checks failed.",
        "UNVERIFIED": f"nothing failed, but {counts['UNVERIFIED']} of {len(verdict.checks)} checks were not possible.",
    }
    return f"{verdict.status.value}: {words[verdict.status.value]}"
