"""docs/verification.md tells what is there."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sfsc_deploy.verification import CHECKS, Artifact, Cell, Check, Status, Verdict
from sfsc_deploy.verification.policy import read_policy
from sfsc_deploy.verification.thresholds import DEFAULTS, Thresholds
from sfsc_deploy.verification.verdict import passed
from sfsc_deploy.verification.waterfall import STEPS

TEXT = (Path(__file__).parents[2] / "docs" / "verification.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, but for its own headings."""
    section = TEXT.split(f"\n{heading}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]


def test_every_check_is_told_in_its_order() -> None:
    assert [row[0] for row in rows("## Checks")] == [f"`{name}`" for name in CHECKS]


@pytest.mark.parametrize("key", [field.name for field in fields(Thresholds)])
def test_thresholds_are_told_as_they_are(key: str) -> None:
    told = next(row for row in rows("## Thresholds") if row[0] == f"`{key}`")[1:4]
    assert [float(figure) for figure in told] == pytest.approx([getattr(limits, key) for limits in DEFAULTS.values()])


def test_every_step_of_a_waterfall_is_told_in_its_order() -> None:
    assert [row[0] for row in rows("## Where a loss comes from")] == [f"`{name}`" for name in STEPS]


@pytest.mark.parametrize("status", Status)
def test_exit_statuses_are_told(status: Status) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {status.value} |"))
    assert row.split(" | ")[2] == str(status.exit_status)


def test_the_policy_shown_is_one(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    (tmp_path / "policy.toml").write_text(example[1], encoding="utf-8")
    assert read_policy(tmp_path / "policy.toml").thresholds("float16").min_cosine == 0.9995


def test_every_key_of_json_is_told() -> None:
    artifact = Artifact("a", "onnx", None, None, None, None, None)
    check, cell = Check.of("norm", "a", passed("It holds.")), Cell("a", "a", 0.5, 0.5, None, 8)
    document = Verdict((artifact,), (check,), (cell,)).to_json()
    keys = [*document, *document["artifacts"][0], *document["checks"][0], *document["matrix"][0]]
    assert [key for key in keys if f"`{key}`" not in TEXT and f"`{key}[]`" not in TEXT] == []
