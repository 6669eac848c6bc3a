"""A verdict as plain text, for logs and for terminals without more."""

from collections.abc import Iterator

from sfsc_deploy.verification.verdict import Check, Status, Verdict

_TOLD_FIRST = (Status.FAIL, Status.UNVERIFIED)


def render(verdict: Verdict) -> str:
    """The verdict first, then what stands against it, then every check, then the matrix."""
    return "\n".join(
        (
            f"{verdict.status.value}: {_counts(verdict)}",
            *_remarks(verdict),
            "",
            *_checks(verdict),
            *_matrix(verdict),
        )
    )


def _counts(verdict: Verdict) -> str:
    statuses = [check.status for check in verdict.checks]
    counted = ", ".join(f"{statuses.count(status)} {status.value}" for status in Status if status in statuses)
    return f"{len(verdict.artifacts)} artifacts, {len(statuses)} checks ({counted or 'nothing was checked'})"


def _remarks(verdict: Verdict) -> Iterator[str]:
    """What stands against it, failures first; checks that share subject and cause are told together."""
    causes: dict[tuple[Status, str, str, str | None], list[str]] = {}
    for status in _TOLD_FIRST:
        for check in (check for check in verdict.checks if check.status is status):
            causes.setdefault((status, _subject(check), check.why, check.command), []).append(check.name)
    for (status, subject, why, command), names in causes.items():
        yield f"\n{status.value} {subject}, {', '.join(names)}\n  {why}"
        if command:
            yield f"  Next: {command}"


def _checks(verdict: Verdict) -> Iterator[str]:
    for artifact in verdict.artifacts:
        yield f"{artifact.name}: {verdict.status_of(artifact.name).value}"
        for check in (check for check in verdict.checks if check.subject == artifact.name):
            against = f" against {check.gallery}" if check.gallery else ""
            seen = f": {check.why}" if check.status is Status.PASS else ""
            yield f"  {check.status.value:<10} {check.name}{against}{seen}"
        yield ""


def _matrix(verdict: Verdict) -> Iterator[str]:
    if not verdict.matrix:
        yield "No cross-test could be measured."
        return
    yield f"Cross-tests on {verdict.images}, mAP [95 % interval] / rank-1 in percent:"
    for cell in verdict.matrix:
        interval = cell.map_ci95
        span = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]" if interval else ""
        yield f"  {cell.query} -> {cell.gallery}: {100 * cell.map:.1f}{span} / {100 * cell.rank1:.1f}"


def _subject(check: Check) -> str:
    return f"{check.subject} -> {check.gallery}" if check.gallery else check.subject
