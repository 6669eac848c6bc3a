"""The checks on plain arrays: norms, collapse, fidelity, top-k, batches, preprocessing, spaces."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samples import encoded, sample_probe, unit_rows
from sfsc_deploy.metrics import JUNK
from sfsc_deploy.probe import Drift, Probe
from sfsc_deploy.runtime.batch_trials import BatchTrial
from sfsc_deploy.verification import Status, thresholds
from sfsc_deploy.verification.batch_invariance import judge_trials
from sfsc_deploy.verification.embedding import Embeddings
from sfsc_deploy.verification.fidelity import Agreement, fidelity, top_k
from sfsc_deploy.verification.numerics import collapse, finite, norm
from sfsc_deploy.verification.preprocessing import judge_drift
from sfsc_deploy.verification.space import judge_spaces
from sfsc_deploy.verification.thresholds import FLOAT16, FLOAT32, INT8, Thresholds, thresholds_of
from sfsc_deploy.verification.verdict import failed, unverified

ROWS, DIM = 40, 16
EMBEDDING = unit_rows(ROWS, DIM)
IMAGES = np.random.default_rng(0).integers(0, 256, (ROWS, 4, 4, 3), dtype=np.uint8)
LIMITS = pytest.mark.parametrize("limits", [FLOAT32, FLOAT16], ids=["float32", "float16"])


def probe_of(reference: NDArray[np.float32], **changed: Any) -> Probe:
    """16 queries and 16 gallery images of 8 identities, and 8 patterns."""
    count, patterns = len(reference), 8
    images = np.random.default_rng(1).integers(0, 256, (count, *sample_probe().images.shape[1:]), dtype=np.uint8)
    photographs = count - patterns
    is_pattern = np.arange(count) >= photographs
    facts: dict[str, Any] = {
        "images": images,
        "raw": tuple(b"" if pattern else encoded(image) for image, pattern in zip(images, is_pattern, strict=True)),
        "identity": np.where(is_pattern, JUNK, np.arange(count) % 8),
        "camera": None,
        "is_query": np.arange(count) < photographs // 2,
        "is_pattern": is_pattern,
        "reference": {0.5: reference, 1.0: unit_rows(count, reference.shape[1], seed=9)},
    }
    return replace(sample_probe(), **facts | changed)


def turned(rows: NDArray[np.float32], angle: float, which: slice = slice(None)) -> NDArray[np.float32]:
    """Some rows turned by an angle towards a direction at right angles to each."""
    exact = rows.astype(np.float64)
    away = np.random.default_rng(4).standard_normal(rows.shape)
    away -= (away * exact).sum(1, keepdims=True) * exact
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    result = exact.copy()
    result[which] = (np.cos(angle) * exact + np.sin(angle) * away)[which]
    return result.astype(np.float32)


def scattered(row: int, factor: float) -> NDArray[np.float32]:
    embedding = EMBEDDING.copy()
    embedding[row] *= np.float32(factor)
    return embedding


def test_sound_embeddings_pass() -> None:
    assert finite(EMBEDDING).status is Status.PASS
    assert norm(EMBEDDING, FLOAT32).status is Status.PASS
    assert collapse(EMBEDDING, IMAGES).status is Status.PASS


def test_no_embeddings_are_no_proof() -> None:
    assert finite(EMBEDDING[:0]).status is Status.UNVERIFIED


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_single_value_that_is_not_finite_is_found(value: float) -> None:
    embedding = EMBEDDING.copy()
    embedding[7, 3] = value
    finding = finite(embedding)
    assert finding.status is Status.FAIL
    assert finding.value == 1
    assert "row 7" in finding.why


@LIMITS
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_single_row_of_wrong_norm_is_found(limits: Thresholds, sign: int) -> None:
    assert norm(scattered(5, 1 + sign * 0.5 * limits.norm), limits).status is Status.PASS
    finding = norm(scattered(5, 1 + sign * 2 * limits.norm), limits)
    assert finding.status is Status.FAIL
    assert "row 5" in finding.why


def test_zeros_have_no_norm() -> None:
    assert norm(np.zeros((3, DIM), np.float32), FLOAT16).status is Status.FAIL


def test_one_embedding_for_all_images_is_a_collapse() -> None:
    constant = np.repeat(EMBEDDING[:1], ROWS, axis=0)
    assert collapse(constant, IMAGES).status is Status.FAIL
    noise = 1e-3 * np.random.default_rng(0).standard_normal(constant.shape).astype(np.float32)
    assert collapse(constant + noise, IMAGES).status is Status.FAIL


def test_equal_images_may_have_equal_embeddings() -> None:
    images, rows = np.repeat(IMAGES[:2], 20, axis=0), np.repeat(EMBEDDING[:2], 20, axis=0)
    assert collapse(rows, images).status is Status.PASS
    assert collapse(rows[:20], images[:20]).status is Status.UNVERIFIED


def test_zeros_do_not_divide_by_zero() -> None:
    assert collapse(np.zeros_like(EMBEDDING), IMAGES).value == 0


@settings(deadline=None)
@given(st.integers(0, 30), st.sampled_from([1e-4, 1e-3, 1e-2, 0.1, 1.0]))
def test_agreement_is_what_the_definition_says(seed: int, angle: float) -> None:
    other = turned(unit_rows(5, DIM, seed), angle)
    agreement = Agreement.between(other, unit_rows(5, DIM, seed))
    for row, (a, b) in enumerate(
        zip(other.astype(np.float64), unit_rows(5, DIM, seed).astype(np.float64), strict=True)
    ):
        slow = sum(x * y for x, y in zip(a, b, strict=True)) / np.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
        assert agreement.cosine[row] == pytest.approx(slow, abs=1e-12)
        assert agreement.difference[row] == max(abs(x - y) for x, y in zip(a, b, strict=True))


@LIMITS
def test_one_wrong_row_among_many_is_found(limits: Thresholds) -> None:
    """The mean of the cosines and the cosine of the whole batch would both pass."""
    angle = 3 * np.arccos(limits.min_cosine)
    finding = fidelity(turned(EMBEDDING, angle, slice(11, 12)), probe_of(EMBEDDING), 0.5, limits)
    assert finding.status is Status.FAIL
    assert finding.details["worst_row"] == 11
    assert "row 11, a query" in finding.why


def test_the_figures_of_fidelity() -> None:
    finding = fidelity(turned(EMBEDDING, 0.2, slice(0, 1)), probe_of(EMBEDDING), 0.5, FLOAT32)
    assert finding.value == finding.details["min_cosine"] == pytest.approx(np.cos(0.2), abs=1e-6)
    assert finding.details["median_cosine"] == pytest.approx(1, abs=1e-6)
    assert finding.details["min_cosine"] < finding.details["p1_cosine"] < finding.details["median_cosine"]
    assert finding.details["images"] == ROWS


def test_a_wrong_norm_is_no_fidelity_though_its_cosine_is_1() -> None:
    finding = fidelity(EMBEDDING * np.float32(1.01), probe_of(EMBEDDING), 0.5, FLOAT32)
    assert finding.value == pytest.approx(1, abs=1e-6)
    assert finding.status is Status.FAIL


def test_zeros_are_not_faithful() -> None:
    assert fidelity(np.zeros_like(EMBEDDING), probe_of(EMBEDDING), 0.5, INT8).status is Status.FAIL


def test_numbers_that_are_not_finite_are_not_faithful() -> None:
    spoiled = EMBEDDING.copy()
    spoiled[2] = np.nan
    assert fidelity(spoiled, probe_of(EMBEDDING), 0.5, INT8).status is Status.FAIL


def test_int8_is_judged_by_its_median() -> None:
    assert fidelity(turned(EMBEDDING, 0.1), probe_of(EMBEDDING), 0.5, INT8).status is Status.PASS
    assert fidelity(turned(EMBEDDING, 0.2), probe_of(EMBEDDING), 0.5, INT8).status is Status.FAIL
    assert fidelity(turned(EMBEDDING, 0.2, slice(0, 9)), probe_of(EMBEDDING), 0.5, INT8).status is Status.PASS
    assert fidelity(turned(EMBEDDING, 0.5, slice(0, 1)), probe_of(EMBEDDING), 0.5, INT8).status is Status.FAIL


def test_the_reference_of_another_width_is_recognised() -> None:
    probe = probe_of(EMBEDDING)
    finding = fidelity(probe.reference[1.0], probe, 0.5, FLOAT32)
    assert finding.status is Status.FAIL
    assert "It is the sub-model of width 1, not 0.5." in finding.why


def test_another_dimension_fails() -> None:
    assert fidelity(unit_rows(ROWS, 8), probe_of(EMBEDDING), 0.5, FLOAT32).status is Status.FAIL


def test_agreement_on_few_images_proves_nothing_but_disagreement_does() -> None:
    few = sample_probe()
    rows = few.reference[0.5]
    assert fidelity(rows, few, 0.5, FLOAT32).status is Status.UNVERIFIED
    assert fidelity(rows[::-1], few, 0.5, FLOAT32).status is Status.FAIL


@pytest.mark.parametrize("check", [fidelity, top_k])
def test_without_a_reference_of_the_width_nothing_is_said(check: Any) -> None:
    finding = check(EMBEDDING, probe_of(EMBEDDING), 0.25, FLOAT32)
    assert finding.status is Status.UNVERIFIED
    assert "width 0.25, only of 0.5, 1" in finding.why


def test_top_k_agrees_with_itself_and_not_with_another() -> None:
    probe = probe_of(EMBEDDING)
    assert top_k(EMBEDDING, probe, 0.5, FLOAT32).value == 1
    finding = top_k(probe.reference[1.0], probe, 0.5, FLOAT16)
    assert finding.status is Status.FAIL
    assert finding.details["k"] == 8  # half of a gallery of 16: the first 16 of 16 would always agree


def test_top_k_of_a_single_gallery_image_tells_nothing() -> None:
    probe = probe_of(EMBEDDING, is_query=np.arange(ROWS) < 31)
    assert top_k(EMBEDDING, probe, 0.5, FLOAT32).status is Status.UNVERIFIED


def test_one_set_of_images_that_could_not_be_embedded_is_a_failure_whatever_the_other_gave() -> None:
    broken = failed("It broke off.")
    assert Embeddings(EMBEDDING, broken).obstacle is broken
    assert Embeddings(unverified("No probe."), broken).obstacle is broken
    assert Embeddings(EMBEDDING, unverified("These were not recorded.")).obstacle is None


def trials(*differences: float | None) -> tuple[BatchTrial, ...]:
    plans = [(1, False), (2, False), (7, False), (32, True)]
    return tuple(
        BatchTrial(size=size, reverse=reverse, max_difference=difference)
        for (size, reverse), difference in zip(plans, differences, strict=True)
    )


@LIMITS
def test_rows_may_depend_on_their_batch_by_no_more_than_precision(limits: Thresholds) -> None:
    little, much = 0.9 * limits.max_batch_difference, 1.1 * limits.max_batch_difference
    assert judge_trials(trials(little, little, little, little), limits, "").status is Status.PASS
    for place in range(4):
        differences = [little] * 4
        differences[place] = much
        assert judge_trials(trials(*differences), limits, "").status is Status.FAIL


@pytest.mark.parametrize("place", range(4))
def test_a_batch_that_could_not_be_run_fails(place: int) -> None:
    differences: list[float | None] = [0.0] * 4
    differences[place] = None
    assert judge_trials(trials(*differences), FLOAT16, "").status is Status.FAIL


def test_a_batch_that_could_not_be_run_fails_however_few_were_tried() -> None:
    assert judge_trials(trials(None, 0, 0, 0)[:1], FLOAT16, "more images").status is Status.FAIL


@pytest.mark.parametrize("tried", [slice(0, 0), slice(1, 4), slice(0, 3)])
def test_too_few_trials_tell_nothing(tried: slice) -> None:
    finding = judge_trials(trials(0, 0, 0, 0)[tried], FLOAT32, "more images")
    assert finding.status is Status.UNVERIFIED
    assert finding.command == "more images"


@pytest.mark.parametrize(
    ("levels", "mean", "status"),
    [(0, 0.0, Status.PASS), (3, 0.1, Status.PASS), (3, 0.9, Status.FAIL), (90, 0.1, Status.FAIL)],
)
def test_drift_of_preprocessing(levels: int, mean: float, status: Status) -> None:
    finding = judge_drift(Drift(max_levels=levels, mean_levels=mean, images=9), "a phone")
    assert finding.status is status
    assert "on a phone" in finding.why


def test_one_space() -> None:
    assert {finding.status for finding in judge_spaces({"a": "1", "b": "1"}).values()} == {Status.PASS}


def test_two_spaces_fail_on_both_sides_because_nobody_knows_which_is_meant() -> None:
    assert {finding.status for finding in judge_spaces({"a": "1", "b": "2"}).values()} == {Status.FAIL}


def test_the_odd_one_out_fails() -> None:
    found = judge_spaces({"a": "1", "b": "2", "c": "1"})
    assert [found[name].status for name in "abc"] == [Status.PASS, Status.FAIL, Status.PASS]


def test_an_unknown_space_is_unverified_and_has_no_vote() -> None:
    found = judge_spaces({"a": None, "b": "2", "c": None, "d": None})
    assert found["b"].status is Status.PASS
    assert found["a"].status is Status.UNVERIFIED


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("float32", FLOAT32),
        ("float16", FLOAT16),
        ("int8", INT8),
        ("mixed (float16: 20, float32: 1)", FLOAT16),
        ("mixed (float16: 1, int8: 20)", INT8),
        ("bfloat16", FLOAT32),
        ("anything", FLOAT32),
    ],
)
def test_thresholds_are_those_of_the_coarsest_precision_and_strict_where_it_is_not_known(
    precision: str, expected: Thresholds
) -> None:
    assert thresholds_of(precision) is expected


def test_every_threshold_is_tighter_for_a_finer_precision() -> None:
    for fine, coarse in ((FLOAT32, FLOAT16), (FLOAT16, INT8)):
        assert fine.min_cosine > coarse.min_cosine
        assert fine.max_difference < coarse.max_difference
        assert fine.top_k > coarse.top_k
        assert fine.norm <= coarse.norm
    assert FLOAT16.min_cosine > thresholds.MAX_MEDIAN_COSINE


@pytest.mark.parametrize("spaces", [["s", "t"], ["s", "s", "t"]])
def test_two_spaces_may_be_two_generations(spaces: list[str]) -> None:
    found = judge_spaces({str(number): space for number, space in enumerate(spaces)})
    told = [finding.why for finding in found.values() if finding.status is Status.FAIL]
    assert told
    assert all(why.endswith("sfsc-deploy verify-compat --upgrade OLD NEW --data DIR") for why in told)


def test_three_spaces_are_no_two_generations() -> None:
    assert all("--upgrade" not in finding.why for finding in judge_spaces({"a": "s", "b": "t", "c": "u"}).values())
