"""How findings become a verdict."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfsc_deploy.metrics import Interval
from sfsc_deploy.verification import CHECKS, Artifact, Cell, Check, Status, Verdict
from sfsc_deploy.verification.verdict import failed, measured, not_reached, passed, unverified, worst

FOUND = {Status.PASS: passed("It holds."), Status.FAIL: failed("It doesn't."), Status.UNVERIFIED: unverified("No GPU.")}


def fleet(*checks: Check) -> Verdict:
    artifacts = tuple(Artifact(name, "onnx", None, None, None, None, None) for name in ("a", "b"))
    return Verdict(artifacts, checks)


def test_nothing_checked_is_never_pass() -> None:
    assert fleet().status is Status.UNVERIFIED
    assert fleet().exit_status == 3
    assert fleet(Check.of("norm", "a", passed("It holds."))).status_of("b") is Status.UNVERIFIED


@given(st.lists(st.sampled_from(Status), min_size=1))
def test_a_failure_outweighs_what_is_unverified_and_that_outweighs_what_holds(statuses: list[Status]) -> None:
    verdict = fleet(*(Check.of("norm", "a", FOUND[status]) for status in statuses))
    if Status.FAIL in statuses:
        expected = Status.FAIL
    elif Status.UNVERIFIED in statuses:
        expected = Status.UNVERIFIED
    else:
        expected = Status.PASS
    assert verdict.status is worst(statuses) is expected
    assert verdict.exit_status == {"PASS": 0, "FAIL": 1, "UNVERIFIED": 3}[expected.value]


def test_a_pair_concerns_both_sides() -> None:
    verdict = fleet(Check.of("criterion", "a", failed("It doesn't."), "b"), Check.of("norm", "b", passed("It holds.")))
    assert verdict.status_of("a") is verdict.status_of("b") is Status.FAIL


def test_what_was_not_reached_names_its_cause_and_what_completes_it() -> None:
    cause = unverified("There is no GPU.", "run it there")
    finding = not_reached("readable", cause)
    assert finding.status is Status.UNVERIFIED
    assert finding.why == "Not reached, because readable could not be told: There is no GPU."
    assert finding.command == "run it there"
    assert "readable failed" in not_reached("readable", failed("Truncated.")).why


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_is_strict(value: float) -> None:
    check = Check.of("norm", "a", measured(False, "It is off.", value, 1e-4, {"worst": value}))
    document = json.loads(json.dumps(fleet(check).to_json(), allow_nan=False))
    assert document["checks"][0]["value"] is None
    assert document["checks"][0]["details"] == {"worst": None}
    assert document["checks"][0]["status"] == document["artifacts"][0]["status"] == "FAIL"


@pytest.mark.parametrize(
    ("backend", "stand_in"),
    [
        (None, None),
        ("onnxruntime 1.32.0", None),
        ("reference executor (checks the conversion, not Apple's kernels), torch 2.9", "reference executor"),
        ("reference executor (checks the conversion), torch 2.9, recorded on server", "reference executor"),
    ],
)
def test_json_tells_what_stood_in_for_the_device(backend: str | None, stand_in: str | None) -> None:
    artifact = Artifact("a", "package", None, None, None, backend, None)
    assert Verdict((artifact,), ()).to_json()["artifacts"][0]["stand_in"] == stand_in


def test_json_holds_the_matrix_with_its_intervals() -> None:
    cells = (Cell("a", "b", 0.5, 0.75, Interval(0.25, 0.625), 8), Cell("b", "a", 0.5, 0.75, None, 8))
    matrix = Verdict((), (), cells).to_json()["matrix"]
    assert matrix[0] == {
        "query": "a",
        "gallery": "b",
        "map": 0.5,
        "rank1": 0.75,
        "map_ci95": [0.25, 0.625],
        "queries": 8,
    }
    assert matrix[1]["map_ci95"] is None


def test_the_names_of_checks_are_stable() -> None:
    assert CHECKS == (
        "readable", "intact", "built", "space", "input-contract", "precision", "finite", "norm", "collapse",
        "fidelity", "batch-invariance", "preprocessing", "rows", "own-row", "criterion", "operating-point", "upgrade",
        "top-k",
    )  # fmt: skip


def test_numbers_of_numpy_are_judged_as_numbers() -> None:
    finding = measured(bool(np.float64(2) < 1), "Two.", float(np.float64(2)), 1)
    assert finding.status is Status.FAIL
