"""Thresholds of one's own, and what they change."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import Retrieval
from sfsc_deploy.verification import Check, Status
from sfsc_deploy.verification.judgement import judge_map
from sfsc_deploy.verification.policy import DEFAULT, Overrides, read_policy
from sfsc_deploy.verification.report import junit, markdown, page
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


def test_a_device_goes_before_its_precision_and_both_together_before_either(tmp_path: Path) -> None:
    tables = """
[float16]
top_k = 0.5
norm = 0.5
min_cosine = 0.5
[profile.android]
top_k = 0.6
norm = 0.6
[profile.android.float16]
top_k = 0.7
"""
    policy = read_policy(policy_file(tmp_path, tables))
    here = policy.thresholds("float16", "android")
    assert (here.top_k, here.norm, here.min_cosine) == (0.7, 0.6, 0.5)
    assert here.median_cosine == FLOAT16.median_cosine
    other = policy.thresholds("float32", "android")
    assert (other.top_k, other.norm, other.min_cosine) == (0.6, 0.6, FLOAT32.min_cosine)
    for device in ("raspberry-pi", None):
        assert policy.thresholds("float16", device).top_k == 0.5
        assert policy.thresholds("int8", device) == INT8


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
        ("[int8]\nmax_fpr_ratio = 0.5", "int8.max_fpr_ratio"),
        ("[int8]\nmax_criterion_loss = -0.1", "int8.max_criterion_loss"),
        ("[int8]\nmin_identities = 1", "int8.min_identities"),
        ("[int8]\nmin_identities = 8.5", "int8.min_identities"),
        ("[profile.jetson-orin]\nmin_cosin = 0.9", "profile.jetson-orin.min_cosin"),
        ("[profile.jetson-orin.bfloat16]\nmin_cosine = 0.9", "profile.jetson-orin.bfloat16"),
        ("[profile.jetson-orin.float16]\ntop_k = 2", "profile.jetson-orin.float16.top_k"),
        ("profile = 3", "profile"),
        ("[profiles.jetson-orin]\ntop_k = 0.9", "profiles"),
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
    expected = {"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "looser": []}
    assert verdict.to_json()["policy"] == expected


def test_a_device_is_judged_by_its_own(exported: Path, tmp_path: Path) -> None:
    file = policy_file(tmp_path, "[profile.android]\nmin_cosine = 1\n")
    server, android = (str(exported / name) for name in FLEET)
    verdict = verify([server, android], policy=read_policy(file))
    assert fidelity_of(verdict.checks, android).threshold == 1
    assert fidelity_of(verdict.checks, server).threshold == FLOAT32.min_cosine
    assert [artifact.profile for artifact in verdict.artifacts] == ["server-cpu", "android"]


def test_a_profile_that_nobody_knows_is_refused(exported: Path, tmp_path: Path) -> None:
    file = policy_file(tmp_path, "[profile.androit]\nmin_cosine = 1\n")
    with pytest.raises(SfscError, match=r"policy\.toml.*androit") as refusal:
        verify([str(exported / name) for name in FLEET], policy=read_policy(file))
    assert "android" in refusal.value.remedy


LOOSER = """
[int8]
min_cosine = 0.8
min_identities = 9
[profile.android]
max_tpr_loss = 0.2
[profile.raspberry-pi.float32]
norm = 1e-2
top_k = 1
"""


def test_what_is_looser_is_told_and_what_is_stricter_is_not(tmp_path: Path) -> None:
    source = read_policy(policy_file(tmp_path, LOOSER)).source
    assert source is not None
    assert source.looser == (
        "min_cosine 0.8 of int8 (built in: 0.9)",
        "max_tpr_loss 0.2 of android float32, float16, int8 (built in: 0.05)",
        "norm 0.01 of raspberry-pi float32 (built in: 0.0001)",
    )


@pytest.mark.parametrize("key", list(Overrides.model_fields))
def test_of_each_threshold_it_is_known_which_side_is_looser(tmp_path: Path, key: str) -> None:
    default = getattr(FLOAT32, key)
    low, high = {"min_identities": (3, 100), "max_fpr_ratio": (1, 9), "max_criterion_loss": (0, 0.3)}.get(
        key, (default / 2, min(1, default * 2))
    )
    told = {}
    for value in (low, high):
        source = read_policy(policy_file(tmp_path, f"[float32]\n{key} = {value}\n")).source
        assert source is not None
        told[value] = bool(source.looser)
    more_is_looser = key.startswith("max_") or key == "norm"
    assert told[low] == (not more_is_looser and low < default)
    assert told[high] == (more_is_looser and high > default)


def test_a_looser_policy_is_told_wherever_the_verdict_is(exported: Path, tmp_path: Path) -> None:
    file = policy_file(tmp_path, "[int8]\nmin_cosine = 0.8\n")
    verdict = verify([str(exported / name) for name in FLEET], policy=read_policy(file))
    told = "looser than built in: min_cosine 0.8 of int8"
    assert told in page(verdict)
    assert "looser than built in: min\\_cosine 0.8 of int8" in markdown(verdict)
    assert told in junit(verdict)
    assert verdict.to_json()["policy"]["looser"] == ["min_cosine 0.8 of int8 (built in: 0.9)"]
    subjects = [str(exported / name) for name in FLEET]
    result = CliRunner().invoke(app, ["verify-compat", *subjects, "--policy", str(file)])
    assert told in result.output


def retrieval(average_precision: float) -> Retrieval:
    return Retrieval(np.full(40, average_precision), np.full(40, 2))


def test_a_policy_may_tolerate_a_loss_of_the_criterion_and_ask_for_more_identities() -> None:
    cross, weaker, identity = retrieval(0.5), retrieval(0.52), np.arange(40) // 2
    assert judge_map(cross, weaker, identity).status is Status.FAIL
    lenient = judge_map(cross, weaker, identity, limits=replace(FLOAT32, max_criterion_loss=0.03))
    assert (lenient.status, lenient.threshold) == (Status.PASS, -0.03)
    careful = judge_map(weaker, cross, identity, limits=replace(FLOAT32, min_identities=21))
    assert careful.status is Status.UNVERIFIED
    assert "of 21 are needed" in careful.why


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
