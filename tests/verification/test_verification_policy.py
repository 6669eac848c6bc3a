"""Thresholds of one's own, and what they change."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import SfscError
from sfsc_deploy.verification import Check, Status
from sfsc_deploy.verification.policy import DEFAULT, Overrides, read_policy
from sfsc_deploy.verification.thresholds import FLOAT16, FLOAT32, INT8, Thresholds
from sfsc_deploy.verification.verify import verify

FLEET = ("server-cpu.onnx", "android.onnx")


def policy_file(folder: Path, text: str) -> Path:
    file = folder / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return file


def fidelity_of(checks: tuple[Check, ...], subject: str) -> Check:
    return next(check for check in checks if check.subject == subject and check.name == "fidelity")


def test_what_is_set_replaces_its_default_and_nothing_else(tmp_path: Path) -> None:
    policy = read_policy(policy_file(tmp_path, "[float16]\nmin_cosine = 0.995\ntop_k = 1\n"))
    found = policy.thresholds("mixed (float16: 20, float32: 1)")
    assert (found.min_cosine, found.top_k) == (0.995, 1)
    assert (found.median_cosine, found.norm) == (FLOAT16.median_cosine, FLOAT16.norm)
    assert policy.thresholds("float32") == FLOAT32
    assert policy.thresholds("int8") == INT8


def test_an_empty_policy_changes_nothing(tmp_path: Path) -> None:
    assert read_policy(policy_file(tmp_path, "")).limits == DEFAULT.limits


def test_every_threshold_can_be_set() -> None:
    assert set(Overrides.model_fields) == {field.name for field in fields(Thresholds)}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[float16]\nmin_cosin = 0.9", "float16.min_cosin"),
        ("[bfloat16]\nmin_cosine = 0.9", "bfloat16"),
        ("min_cosine = 0.9", "min_cosine"),
        ("[int8]\ntop_k = 1.5", "int8.top_k"),
        ("[int8]\nnorm = 0", "int8.norm"),
        ("[int8]\nmin_cosine = nan", "int8.min_cosine"),
        ("[int8]\nmax_difference = inf", "int8.max_difference"),
        ('[int8]\nmin_cosine = "0.9"', "int8.min_cosine"),
        ("[int8]\nmin_cosine = true", "int8.min_cosine"),
        ("int8 = 0.9", "int8"),
        ("[int8", "not valid TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SfscError, match=named) as refusal:
        read_policy(policy_file(tmp_path, text))
    assert "policy.toml" in refusal.value.message
    assert "min_cosine" in refusal.value.remedy


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "policy.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SfscError, match=r"policy\.toml"):
        read_policy(file)


def test_a_policy_decides_and_is_told_by_its_hash(exported: Path, tmp_path: Path) -> None:
    file = policy_file(tmp_path, "[float16]\nmin_cosine = 1\n")
    server, android = (str(exported / name) for name in FLEET)
    verdict = verify([server, android], policy=read_policy(file))
    strict, untouched = fidelity_of(verdict.checks, android), fidelity_of(verdict.checks, server)
    assert (strict.status, strict.threshold) == (Status.FAIL, 1)
    assert (untouched.status, untouched.threshold) == (Status.PASS, FLOAT32.min_cosine)
    expected = {"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert verdict.to_json()["policy"] == expected


@pytest.mark.parametrize(("options", "status"), [([], 3), (["--strict"], 1)], ids=["as it is", "strict"])
def test_strict_takes_what_is_unverified_for_a_failure(exported: Path, options: list[str], status: int) -> None:
    subjects = [str(exported / "server-cpu.onnx"), str(exported / "jetson-orin.engine")]
    result = CliRunner().invoke(app, ["verify-compat", *subjects, "--json", "-", *options])
    assert result.exit_code == status
    assert json.loads(result.stdout)["verdict"] == "UNVERIFIED"  # what is known doesn't change


def test_strict_leaves_a_fleet_that_passes_alone(exported: Path, tmp_path: Path) -> None:
    file = policy_file(tmp_path, "[float16]\nmin_cosine = 0.99\n")
    subjects = [str(exported / name) for name in FLEET]
    result = CliRunner().invoke(app, ["verify-compat", *subjects, "--strict", "--policy", str(file)])
    assert result.exit_code == 0, result.output
