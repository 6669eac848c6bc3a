"""A verdict as Markdown, for the comment of a pull request."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sfsc_deploy.verification.report.texts import figure, legible, percent, thresholds_told
from sfsc_deploy.verification.summary import Objection, conclusion, missed, objections, remarks, short_names, steepest
from sfsc_deploy.verification.verdict import Check, Status, Verdict
from sfsc_deploy.verification.waterfall import Step

_MARKS = {Status.PASS: "✅", Status.FAIL: "❌", Status.UNVERIFIED: "❔"}


def markdown(verdict: Verdict) -> str:
    """The verdict, what stands against it, the fleet and its matrix; every check folded away below."""
    names = short_names([artifact.name for artifact in verdict.artifacts])
    blocks = (
        f"## {_MARKS[verdict.status]} {text(conclusion(verdict))}",
        *map(text, remarks(verdict)),
        *map(_objection, objections(verdict)),
        _fleet(verdict, names),
        *_matrix(verdict, names),
        *_waterfalls(verdict, names),
        _checks(verdict, names),
        text(thresholds_told(verdict)),
    )
    return "\n\n".join(blocks) + "\n"


def text(words: str) -> str:
    """`words` on one line, with everything escaped that Markdown or HTML would take for its own."""
    return re.sub(r"([\\`*_{}\[\]<>|#&~$!@])", r"\\\1", _line(words))


def code(words: str) -> str:
    """`words` on one line as code, also within a table."""
    line = _line(words).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def _line(words: str) -> str:
    return " ".join(legible(words).split())


def _objection(objection: Objection) -> str:
    named = f"{code(objection.place)}: **{text(', '.join(objection.checks))}**: {text(objection.why)}"
    command = f"  \n  → {code(objection.command)}" if objection.command else ""
    return f"- {_MARKS[objection.status]} {named}{command}"


def _fleet(verdict: Verdict, names: Mapping[str, str]) -> str:
    rows = [
        (
            _MARKS[verdict.status_of(artifact.name)],
            code(names[artifact.name]),
            "" if artifact.width is None else f"{artifact.width:g}",
            text(artifact.precision or ""),
            text(artifact.backend or "not run"),
        )
        for artifact in verdict.artifacts
    ]
    return _table(("", "artifact", "width", "precision", "run by"), rows)


def _matrix(verdict: Verdict, names: Mapping[str, str]) -> Iterator[str]:
    if not verdict.matrix:
        yield "No cross-test could be measured."
        return
    below = missed(verdict)
    cells = {
        pair: f"{'▼ ' if pair in below else ''}{percent(cell.map)} / {percent(cell.rank1)}"
        for cell in verdict.matrix
        for pair in [(cell.query, cell.gallery)]
    }
    yield f"mAP / rank-1 in percent on {text(verdict.images or '')}; ▼ misses the criterion."
    rows = [(code(names[query]), *(cells.get((query, gallery), "·") for gallery in names)) for query in names]
    yield _table(("query \\\\ gallery", *map(code, names.values())), rows)


def _waterfalls(verdict: Verdict, names: Mapping[str, str]) -> Iterator[str]:
    """Only of artifacts that aren't what their reference is."""
    for artifact, _ in steepest(verdict):
        way = next(way for way in verdict.waterfalls if way.artifact == artifact)
        yield f"From the reference to {code(names[artifact])}, step by step on the probe:"
        yield _table(("step", "least cosine", "median", "mAP"), map(_step, way.measured))


def _step(step: Step) -> tuple[str, ...]:
    assert step.change is not None
    change = step.change.map_change
    points = "" if change is None else f"{100 * change:+.2f}"
    return step.name, f"{step.change.min_cosine:.9f}", f"{step.change.median_cosine:.9f}", text(points)


def _checks(verdict: Verdict, names: Mapping[str, str]) -> str:
    table = _table(
        ("", "check", "subject", "gallery", "value", "threshold", "why", "command"),
        (_check(check, names) for check in verdict.checks),
    )
    return f"<details><summary>All {len(verdict.checks)} checks</summary>\n\n{table}\n\n</details>"


def _check(check: Check, names: Mapping[str, str]) -> Sequence[str]:
    return (
        _MARKS[check.status],
        check.name,
        code(names.get(check.subject, check.subject)),
        code(names.get(check.gallery, check.gallery)) if check.gallery else "",
        text(figure(check.value)),
        text(figure(check.threshold)),
        text(check.why),
        code(check.command) if check.command else "",
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (headings, ["---"] * len(headings), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
