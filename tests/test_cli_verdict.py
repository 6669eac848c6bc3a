"""What `verify-compat` shows of a verdict."""

from io import StringIO

import pytest
from rich.console import Console

from sfsc_deploy.cli.verdict_shown import show
from sfsc_deploy.verification.summary import short_names
from sfsc_deploy.verification.verdict import (
    Artifact,
    Cell,
    Check,
    Finding,
    Status,
    Verdict,
    failed,
    not_reached,
    passed,
    unverified,
)

A, B = "dist/a.onnx", "dist/b.engine"


def artifact(name: str, backend: str | None = "onnxruntime 1.32.0") -> Artifact:
    return Artifact(name, "onnx", "f" * 64, 0.5, "float32", backend, "dist/probe.safetensors")


def cell(query: str, gallery: str) -> Cell:
    return Cell(query, gallery, 0.61, 0.72, None, 40)


def shown(*checks: Check, matrix: tuple[Cell, ...] = ()) -> str:
    verdict = Verdict((artifact(A), artifact(B, None)), checks, matrix, "probe dist/probe.safetensors")
    console = Console(file=(text := StringIO()), width=140, markup=False)
    show(verdict, console)
    return text.getvalue()


def on(subject: str, name: str, finding: Finding, gallery: str | None = None) -> Check:
    return Check.of(name, subject, finding, gallery)


def row(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip("│ ").startswith(start)).split()


def test_a_fleet_that_passes() -> None:
    text = shown(
        on(A, "readable", passed("read")),
        on(B, "readable", passed("read")),
        on(A, "criterion", passed("holds"), gallery=B),
        matrix=(cell(A, B),),
    )
    assert row(text, "readable") == ["readable", "✓", "✓"]
    assert row(text, "criterion") == ["criterion", "✓", "✓"]
    assert "61.0 / 72.0" in text
    assert text.splitlines()[-1] == "PASS: 2 artifacts, one space, all 3 checks passed."


def test_what_fails_is_told_with_its_place_and_marked_in_the_matrix() -> None:
    text = shown(
        on(A, "readable", passed("read")),
        on(A, "criterion", failed("0.61 is below 0.70."), gallery=B),
        matrix=(cell(A, B), cell(B, A)),
    )
    assert f"✗ {A} to {B}: criterion: 0.61 is below 0.70." in text
    assert text.count("▼ 61.0 / 72.0") == 1
    assert row(text, "criterion") == ["criterion", "✗", "✗"]
    assert text.splitlines()[-1] == "FAIL: 1 of 2 checks failed."


def test_what_cannot_be_run_here_is_told_once_with_its_command() -> None:
    cause = unverified("There is no GPU.", "sfsc-deploy embed b.engine")
    text = shown(
        on(A, "readable", passed("read")),
        on(B, "readable", cause),
        on(B, "finite", not_reached("readable", cause)),
        on(B, "norm", not_reached("readable", cause)),
    )
    assert f"? {B}: readable: There is no GPU.\n→ sfsc-deploy embed b.engine" in text
    assert text.count("There is no GPU.") == 1
    assert row(text, "?") == ["?", "b.engine", "onnx", "0.5", "float32", "ffffffffffff", "not", "run"]
    assert text.splitlines()[-1] == "UNVERIFIED: nothing failed, but 3 of 4 checks were not possible."


def test_what_is_open_because_of_another_artifact_names_it() -> None:
    cause = unverified("There is no GPU.", "sfsc-deploy embed b.engine")
    open_pair = unverified(f"{B}: Not reached, because readable could not be told: There is no GPU.")
    text = shown(
        on(A, "readable", passed("read")),
        on(A, "criterion", open_pair, gallery=B),
        on(B, "readable", cause),
        on(B, "finite", not_reached("readable", cause)),
        on(B, "criterion", open_pair, gallery=A),
    )
    assert row(text, "criterion") == ["criterion", "?", "?"]
    told = "? a.onnx: criterion with b.engine was not possible: there readable could not be told, see below"
    assert text.splitlines().count(told) == 1
    assert text.index(told) < text.index(f"? {B}: readable: There is no GPU.")


def test_two_that_cannot_be_run_are_told_together_and_not_of_each_other() -> None:
    gone = unverified("There is no GPU.")
    others = ("dist/b.engine", "dist/c.engine")
    checks = [on(A, "readable", passed("read")), *(on(other, "readable", gone) for other in others)]
    for query, gallery in [(A, others[0]), (A, others[1]), others]:
        open_pair = unverified(f"{gallery}: {not_reached('readable', gone).why}")
        checks += [on(query, "criterion", open_pair, gallery), on(gallery, "criterion", open_pair, query)]
    artifacts = (artifact(A), *(artifact(other, None) for other in others))
    console = Console(file=(text := StringIO()), width=140, markup=False)
    show(Verdict(artifacts, tuple(checks), (), None), console)
    told = [line for line in text.getvalue().splitlines() if "was not possible" in line]
    assert told == [
        "? a.onnx: criterion with b.engine, c.engine was not possible: there readable could not be told, see below"
    ]


def test_what_failed_elsewhere_is_told_as_such() -> None:
    cause = failed("3 rows hold NaN.")
    text = shown(
        on(B, "finite", cause),
        on(A, "criterion", unverified(f"{B}: {not_reached('finite', cause).why}"), gallery=B),
    )
    assert "? a.onnx: criterion with b.engine was not possible: there finite failed, see below" in text


def test_nothing_is_told_twice_of_an_artifact_that_is_its_own_cause() -> None:
    cause = unverified("There is no GPU.")
    text = shown(
        on(A, "readable", passed("read")), on(B, "readable", cause), on(B, "norm", not_reached("readable", cause))
    )
    assert "was not possible" not in text


def test_no_failure_hides_behind_the_reason_of_another_check() -> None:
    text = shown(
        on(A, "intact", failed("a.onnx is missing.")),
        on(B, "intact", failed("a.onnx is missing. b.onnx is missing.")),
        on(B, "built", unverified("a.onnx is missing. Nothing tells.")),
    )
    assert f"✗ {B}: intact: a.onnx is missing. b.onnx is missing." in text
    assert f"? {B}: built: a.onnx is missing. Nothing tells." in text


def test_checks_with_one_reason_are_told_together_and_failures_first() -> None:
    text = shown(
        on(A, "top-k", unverified("Too few images.")),
        on(B, "finite", failed("3 rows hold NaN.")),
        on(B, "norm", failed("3 rows hold NaN.")),
    )
    paragraphs = [line for line in text.splitlines() if line.startswith(("✗ dist", "? dist"))]
    assert paragraphs == [f"✗ {B}: finite, norm: 3 rows hold NaN.", f"? {A}: top-k: Too few images."]


@pytest.mark.parametrize("status", Status)
def test_every_status_can_be_shown(status: Status) -> None:
    text = shown(on(A, "norm", Finding(status=status, why="[it] is so.")), on(B, "norm", passed("fine")))
    assert text.splitlines()[-1].startswith(status.value)


def test_names_are_shortened_where_they_stay_apart() -> None:
    assert short_names([A, B]) == {A: "a.onnx", B: "b.engine"}
    assert short_names(["x/a.onnx", "y/a.onnx"]) == {"x/a.onnx": "x/a.onnx", "y/a.onnx": "y/a.onnx"}
