"""The cross-test matrix and the criterion, on embeddings made for the purpose."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sfsc_deploy.metrics import Labels, Retrieval, retrieve
from sfsc_deploy.verification import Status
from sfsc_deploy.verification.cross_test import Contestant, cross_test
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.judgement import judge_map, points
from sfsc_deploy.verification.thresholds import FLOAT32
from sfsc_deploy.verification.verdict import unverified

DIM = 32


def people(identities: int, noise: float, seed: int = 0, each: int = 2) -> Rows:
    """Queries and gallery images: the direction of an identity, and noise of one's own."""
    directions = np.random.default_rng(99).standard_normal((identities, DIM))
    labels = Labels(np.repeat(np.arange(identities), each))
    generator = np.random.default_rng(seed)
    query, gallery = (_unit(directions[labels.identity], noise, generator) for _ in range(2))
    return Rows("people", query, gallery, labels, labels)


def _unit(rows: NDArray[np.float64], noise: float, generator: np.random.Generator) -> NDArray[np.float32]:
    noisy = rows + noise * generator.standard_normal(rows.shape)
    return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)


def shuffled(rows: Rows) -> Rows:
    """The same retrieval within, but of another space: its dimensions are exchanged."""
    order = np.random.default_rng(5).permutation(DIM)
    return Rows(rows.images, rows.query[:, order], rows.gallery[:, order], rows.query_labels, rows.gallery_labels)


def retrieval(average_precision: list[float]) -> Retrieval:
    values = np.array(average_precision)
    return Retrieval(values, np.where(np.isnan(values), 0, np.ceil(1 / np.maximum(values, 1e-9))).astype(np.int64))


def statuses(a: Rows, b: Rows) -> list[Status]:
    _, checks = cross_test([Contestant("a", "s", a), Contestant("b", "s", b)])
    return [check.status for check in checks]


def test_every_ordered_pair_is_measured_once_and_judged_but_for_itself() -> None:
    contestants = [Contestant(name, "s", people(12, 0.5, seed)) for seed, name in enumerate("abc")]
    cells, checks = cross_test(contestants)
    pairs = [(query, gallery) for query in "abc" for gallery in "abc"]
    assert [(cell.query, cell.gallery) for cell in cells] == pairs
    assert [(check.subject, check.gallery) for check in checks] == [(a, b) for a, b in pairs if a != b]
    assert {check.name for check in checks} == {"criterion"}


def test_a_cell_is_what_retrieval_measures() -> None:
    a, b = people(12, 1.0, 1), people(12, 2.0, 2)
    cells, _ = cross_test([Contestant("a", "s", a), Contestant("b", "s", b)])
    expected = retrieve(a.query, b.gallery, a.query_labels, b.gallery_labels)
    cell = next(cell for cell in cells if (cell.query, cell.gallery) == ("a", "b"))
    assert (cell.map, cell.rank1, cell.queries) == (expected.map, expected.rank(1), 24)
    assert cell.map_ci95 is not None
    assert cell.map_ci95.low < cell.map < cell.map_ci95.high


def test_models_of_one_space_are_compatible() -> None:
    assert statuses(people(20, 0.5, 1), people(20, 1.5, 2)) == [Status.PASS, Status.PASS]


def test_models_of_different_directions_are_not() -> None:
    assert statuses(people(20, 0.5, 1), shuffled(people(20, 0.5, 1))) == [Status.FAIL, Status.FAIL]


def test_a_loss_within_chance_is_no_violation_but_the_same_loss_of_many_is() -> None:
    weaker = retrieval([1.0] * 400)
    identity = np.arange(400)
    few, many = [0.5] * 3 + [1.0] * 397, [0.5] * 30 + [1.0] * 370
    assert judge_map(retrieval(few), weaker, identity).status is Status.PASS
    assert judge_map(retrieval(many), weaker, identity).status is Status.FAIL


def test_queries_of_one_identity_count_as_one_witness() -> None:
    """40 queries lost, but of one identity of 20: chance may have drawn it."""
    lost = np.array([0.1] * 40 + [1.0] * 760)
    weaker = retrieval([1.0] * 800)
    assert judge_map(retrieval(lost.tolist()), weaker, np.arange(800) // 40).status is Status.PASS
    assert judge_map(retrieval(lost.tolist()), weaker, np.arange(800)).status is Status.FAIL


def test_the_reason_tells_the_interval_and_the_smallest_loss_that_would_show() -> None:
    cross = retrieval(([0.9] * 10 + [1.0] * 10) * 2)
    finding = judge_map(cross, retrieval([1.0] * 40), np.arange(40))
    assert finding.value == pytest.approx(-0.05)
    assert finding.details["low"] < finding.value < finding.details["high"] < 0
    visible = finding.details["smallest_visible_loss"]
    assert visible == pytest.approx(0.05 - min(-finding.details["high"], 0.05), abs=0.01)
    assert f"below about {100 * float(visible):.1f} points would not show" in finding.why


def test_where_nothing_changed_the_rule_of_three_tells_what_could_have_been_missed() -> None:
    finding = judge_map(retrieval([1.0] * 60), retrieval([1.0] * 60), np.arange(60) // 2)
    assert finding.status is Status.PASS
    assert finding.details["smallest_visible_loss"] == pytest.approx(3 / 30)


@pytest.mark.parametrize(("identities", "each"), [(7, 10), (15, 1), (8, 1)])
def test_too_few_images_are_no_proof(identities: int, each: int) -> None:
    rows = people(identities, 0.1, each=each)
    _, checks = cross_test([Contestant("a", "s", rows), Contestant("b", "s", rows)])
    assert {check.status for check in checks} == {Status.UNVERIFIED}
    assert all("--data" in check.why and check.command for check in checks)


def test_queries_without_a_match_do_not_count_as_images() -> None:
    rows = people(20, 0.1)
    others = Labels(np.where(np.arange(40) < 14, rows.gallery_labels.identity, 1000))
    poor = Rows("people", rows.query, rows.gallery, rows.query_labels, others)
    assert statuses(poor, poor) == [Status.UNVERIFIED, Status.UNVERIFIED]


def different_space(rows: Rows) -> list[Contestant]:
    return [Contestant("a", "one", rows), Contestant("b", "two", rows)]


def unknown_space(rows: Rows) -> list[Contestant]:
    return [Contestant("a", None, rows), Contestant("b", None, rows)]


def no_embedding(rows: Rows) -> list[Contestant]:
    return [Contestant("a", "one", rows), Contestant("b", "one", unverified("It has no GPU."))]


def other_images(rows: Rows) -> list[Contestant]:
    other = Rows("others", rows.query, rows.gallery, rows.query_labels, rows.gallery_labels)
    return [Contestant("a", "one", rows), Contestant("b", "one", other)]


@pytest.mark.parametrize("fleet", [different_space, unknown_space, no_embedding, other_images])
def test_what_must_not_be_compared_is_not(fleet: Callable[[Rows], list[Contestant]]) -> None:
    cells, checks = cross_test(fleet(people(12, 0.1)))
    assert not [cell for cell in cells if cell.query != cell.gallery]
    assert [check.status for check in checks] == [Status.UNVERIFIED] * 2


def test_the_order_of_images_does_not_matter() -> None:
    a, b = people(12, 1.5, 1), people(12, 1.5, 2)
    order = np.random.default_rng(0).permutation(24)

    def reordered(rows: Rows) -> Rows:
        labels = Labels(rows.query_labels.identity[order])
        return Rows(rows.images, rows.query[order], rows.gallery[order], labels, labels)

    straight, _ = cross_test([Contestant("a", "s", a), Contestant("b", "s", b)])
    mixed, _ = cross_test([Contestant("a", "s", reordered(a)), Contestant("b", "s", reordered(b))])
    assert [(cell.map, cell.rank1) for cell in mixed] == [(cell.map, cell.rank1) for cell in straight]


def test_a_device_that_wants_more_evidence_gets_it_of_each_pair() -> None:
    strict = replace(FLOAT32, min_identities=32)
    sides = [Contestant("a", "s", people(20, 0.1), limits=strict), Contestant("b", "s", people(20, 0.1))]
    _, checks = cross_test(sides)
    assert {check.status for check in checks} == {Status.UNVERIFIED}
    assert all("of 32 are needed" in check.why for check in checks)


def test_a_loss_that_would_show_is_told_however_small_it_is() -> None:
    cross = retrieval([0.999] * 20 + [1.0] * 20_000)
    finding = judge_map(cross, retrieval([1.0] * 20_020), np.arange(20_020))
    assert 0 < finding.details["smallest_visible_loss"] < 1e-5
    assert "below about 0.00004 points would not show" in finding.why


@pytest.mark.parametrize(("allowed", "told"), [(0.0, "to -0.03,"), (0.01, "to -1.03,")])
def test_an_interval_that_misses_its_limit_does_not_look_as_if_it_reached_it(allowed: float, told: str) -> None:
    weaker, high = retrieval([1.0] * 40), -allowed - 0.0003
    cross = retrieval([1.0 + high] * 20 + [1.0 + high - 1e-6] * 20)
    finding = judge_map(cross, weaker, np.arange(40), limits=replace(FLOAT32, max_criterion_loss=allowed))
    assert finding.status is Status.FAIL
    assert told in finding.why


@pytest.mark.parametrize(
    ("difference", "told"), [(0.0, "+0.0"), (1e-17, "+0.0"), (0.00049, "+0.05"), (0.0005, "+0.1"), (-0.027, "-2.7")]
)
def test_points_have_digits_enough(difference: float, told: str) -> None:
    assert points(difference) == told


def test_where_all_changed_alike_the_rule_of_three_tells_as_well() -> None:
    finding = judge_map(retrieval([0.7] * 60), retrieval([0.8] * 60), np.arange(60) // 7)
    assert finding.details["smallest_visible_loss"] == pytest.approx(3 / 9)
