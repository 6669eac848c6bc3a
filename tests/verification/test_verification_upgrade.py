"""Two generations: who still finds in the gallery of the old one."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fleet import portraits
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.metrics import Labels, Retrieval
from sfsc_deploy.verification import Check, Status
from sfsc_deploy.verification.cross_test import Contestant, cross_test
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.space import judge_generations
from sfsc_deploy.verification.summary import conclusion, remarks
from sfsc_deploy.verification.upgrade import Upgrade, judge_upgrade
from sfsc_deploy.verification.verify import verify

DIM = 32


def people(noise: float, seed: int, *, turned: bool = False) -> Rows:
    """Twelve identities, two queries and gallery images each; `turned`: in a space of its own."""
    directions = np.random.default_rng(99).standard_normal((12, DIM))
    labels = Labels(np.repeat(np.arange(12), 2))
    rng = np.random.default_rng(seed)
    sides = [directions[labels.identity] + noise * rng.standard_normal((24, DIM)) for _ in range(2)]
    if turned:
        sides = [side[:, np.random.default_rng(5).permutation(DIM)] for side in sides]
    query, gallery = ((s / np.linalg.norm(s, axis=1, keepdims=True)).astype(np.float32) for s in sides)
    return Rows("people", query, gallery, labels, labels)


def upgrades(*contestants: Contestant) -> list[Check]:
    return [check for check in cross_test(contestants, upgrade=True)[1] if check.name == "upgrade"]


def test_a_generation_that_fits_needs_no_backfill() -> None:
    old, new = Contestant("old", "s", people(1.0, 1), 1.0), Contestant("new", "t", people(0.5, 2), 1.0)
    (check,) = upgrades(old, new)
    assert (check.subject, check.gallery, check.status) == ("new", "old", Status.PASS)
    assert check.why.startswith(
        "No loss beyond chance was measured on these images, so that they ask for no backfill: mAP"
    )
    assert check.details["replaces"] == "old"


def test_a_generation_that_does_not_fit_needs_one_and_says_what_it_would_give() -> None:
    old, new = Contestant("old", "s", people(0.5, 1), 1.0), Contestant("new", "t", people(0.5, 2, turned=True), 1.0)
    (check,) = upgrades(old, new)
    assert check.status is Status.FAIL
    assert check.why.startswith("It needs a backfill: mAP ")
    assert check.details["map_backfilled"] > check.details["map_before"] - 0.1 > check.details["map_now"]
    assert check.details["negative_flips"] > 10


def test_a_device_is_compared_with_the_one_of_its_width() -> None:
    stored, phone = Contestant("server", "s", people(0.5, 1), 1.0), Contestant("phone", "s", people(2.0, 2), 0.5)
    new = Contestant("new phone", "t", people(1.5, 3), 0.5), Contestant("new camera", "t", people(1.5, 4), 0.25)
    found = upgrades(stored, phone, *new)
    assert [check.details["replaces"] for check in found] == ["phone", "server"]
    assert "phone, which it replaces, has" in found[0].why
    assert "server, as no old artifact of its width was given, has" in found[1].why


def test_within_a_generation_the_criterion_is_judged_as_ever() -> None:
    old = Contestant("a", "s", people(0.5, 1), 1.0), Contestant("b", "s", people(0.6, 2), 0.5)
    new = Contestant("c", "t", people(0.5, 3), 1.0), Contestant("d", "t", people(0.6, 4), 0.5)
    cells, checks = cross_test([*old, *new], upgrade=True)
    judged = {(check.name, check.subject, check.gallery) for check in checks}
    pairs = {("criterion", q, g) for q, g in ("ab", "ba", "cd", "dc")}
    assert judged == pairs | {("upgrade", "c", "a"), ("upgrade", "d", "a")}
    assert len(cells) == 16


def test_without_upgrade_two_spaces_are_not_measured_against_each_other() -> None:
    cells, checks = cross_test([Contestant("a", "s", people(0.5, 1)), Contestant("b", "t", people(0.5, 2))])
    assert {(cell.query, cell.gallery) for cell in cells} == {("a", "a"), ("b", "b")}
    assert {check.status for check in checks} == {Status.UNVERIFIED}


def retrieval(first_match: list[int]) -> Retrieval:
    ranks = np.array(first_match)
    average: NDArray[np.float64] = np.where(ranks > 0, 1 / np.maximum(ranks, 1), np.nan)
    return Retrieval(average, ranks)


def test_flips_are_counted_among_queries_that_have_a_match() -> None:
    before, now = [1, 1, 1, 2, 3, 0] * 4, [1, 2, 5, 1, 2, 0] * 4
    upgrade = Upgrade(retrieval(before), retrieval(now), None, np.repeat(np.arange(12), 2))
    assert (upgrade.lost, upgrade.won) == (8, 4)
    assert "8 queries turn from right to wrong, 4 from wrong to right" in judge_upgrade(upgrade, "old").why


def ranked(first: int, last: int, queries: int) -> Retrieval:
    """Each query with matches at two ranks."""
    average = (1 / first + 2 / last) / 2
    return Retrieval(np.full(queries, average), np.full(queries, first))


def beside(one: Retrieval, other: Retrieval) -> Retrieval:
    parts = zip(vars(one).values(), vars(other).values(), strict=True)
    return Retrieval(*(np.concatenate(part) for part in parts))


def test_first_matches_lost_beyond_chance_need_a_backfill_though_map_rises() -> None:
    before = ranked(1, 100, 40)  # found at once, and the second one not at all
    now = beside(ranked(1, 100, 20), ranked(2, 3, 20))
    found = judge_upgrade(Upgrade(before, now, None, np.repeat(np.arange(20), 2)), "old")
    assert now.map > before.map
    assert found.status is Status.FAIL
    assert found.why.startswith("It needs a backfill: mAP ")
    assert "Rank-1 50.0 %, before 100.0 %: -50.0 points (95 % interval -" in found.why
    assert "first matches are lost beyond chance: 20 queries turn from right to wrong, 0 from wrong" in found.why
    assert (found.value, found.threshold) == (-0.5, 0)
    assert found.details["rank1_low"] < -0.5 < found.details["rank1_high"] < 0
    assert (found.details["rank1_before"], found.details["rank1_now"]) == (1.0, 0.5)


def test_first_matches_lost_within_chance_need_none() -> None:
    before, now = ranked(1, 100, 40), beside(ranked(1, 3, 38), ranked(2, 3, 2))
    found = judge_upgrade(Upgrade(before, now, None, np.repeat(np.arange(20), 2)), "old")
    assert found.status is Status.PASS
    assert found.details["rank1_low"] < 0 <= found.details["rank1_high"]
    assert "beyond chance:" not in found.why


def test_of_two_losses_that_of_map_is_the_figure() -> None:
    before, now = retrieval([1] * 40), retrieval([5] * 40)
    found = judge_upgrade(Upgrade(before, now, None, np.repeat(np.arange(20), 2)), "old")
    assert found.status is Status.FAIL
    assert found.value == pytest.approx(-0.8)
    assert "lost beyond chance" in found.why


def test_too_few_images_prove_nothing() -> None:
    upgrade = Upgrade(retrieval([1, 1]), retrieval([1, 1]), None, np.array([0, 1]))
    assert judge_upgrade(upgrade, "old").status is Status.UNVERIFIED


@pytest.mark.parametrize(
    ("spaces", "statuses"),
    [
        (["s", "t"], "PP"),
        (["s", "s", "t", "t"], "PPPP"),
        (["s", "s"], "FF"),
        (["s", "t", "u"], "FFF"),
        (["s", None, "t"], "PUP"),
        ([None, "s", "t"], "UUU"),
    ],
)
def test_an_upgrade_is_between_two_spaces(spaces: list[str | None], statuses: str) -> None:
    found = judge_generations({str(number): space for number, space in enumerate(spaces)})
    assert "".join(finding.status.value[0] for finding in found.values()) == statuses


@pytest.fixture(scope="module")
def images() -> DataSet:
    query, gallery = portraits(range(10, 20), range(2)), portraits(range(10, 20), range(2, 4))
    return DataSet("portraits", None, Split(), query, gallery)


def test_a_run_of_another_space_is_judged_end_to_end(trained: Path, hasty: Path, images: DataSet) -> None:
    verdict = verify([f"{trained}@1", f"{hasty}@1"], data=images, upgrade=True)
    (check,) = [check for check in verdict.checks if check.name == "upgrade"]
    assert check.status is Status.FAIL
    assert verdict.status is Status.FAIL


def test_one_space_is_no_upgrade(trained: Path, images: DataSet) -> None:
    verdict = verify([f"{trained}@1", f"{trained}@0.5"], data=images, upgrade=True)
    assert verdict.status is Status.FAIL
    assert "space" in {check.name for check in verdict.checks if check.status is Status.FAIL}
    assert "two spaces" in next(check.why for check in verdict.checks if check.name == "space")


def test_the_conclusion_speaks_of_two_generations(trained: Path, hasty: Path, images: DataSet) -> None:
    verdict = verify([f"{hasty}@1", f"{trained}@1"], data=images, upgrade=True)
    assert conclusion(verdict).startswith(verdict.status.value)
    assert all("Upgrade" not in remark for remark in remarks(verdict)) == (verdict.status is Status.FAIL)
