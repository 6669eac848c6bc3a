"""One threshold for a fleet: tuned and counted as a plain loop over all pairs does it, and judged beyond chance."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from sfsc_deploy.binomial import largest_share
from sfsc_deploy.bootstrap import Interval, pairs_bootstrap, ratio_bootstrap
from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import JUNK, Labels
from sfsc_deploy.verification import Check, Status
from sfsc_deploy.verification.cross_test import Contestant
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.operating_point import (
    acceptance,
    operating_points,
    refuse_senseless,
)
from sfsc_deploy.verification.operating_point.acceptance import Accepted, Pairs, accepted, tuned
from sfsc_deploy.verification.operating_point.trying import Tried
from sfsc_deploy.verification.thresholds import FLOAT32, INT8, Thresholds, limits_of_pair
from sfsc_deploy.verification.verdict import unverified

DIM, FPR = 32, 0.01


def people(identities: int = 80, noise: float = 0.6, seed: int = 0, lift: float = 0.0) -> Rows:
    """Two queries and two gallery images each; `lift` adds the same direction to all, so that every score rises."""
    directions = np.random.default_rng(99).standard_normal((identities, DIM))
    labels = Labels(np.repeat(np.arange(identities), 2))
    generator = np.random.default_rng(seed)
    query, gallery = (
        unit(directions[labels.identity] + noise * generator.standard_normal((len(labels), DIM)) + lift)
        for _ in range(2)
    )
    return Rows("people", query, gallery, labels, labels)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def turned(rows: Rows) -> Rows:
    """The same within, but of another space."""
    order = np.random.default_rng(5).permutation(DIM)
    return replace(rows, query=rows.query[:, order], gallery=rows.gallery[:, order])


def padded(rows: Rows, own: float) -> Rows:
    """One dimension more, in which every row has `own`."""
    query, gallery = (
        np.column_stack([np.sqrt(1 - own**2) * part, np.full(len(part), own)]).astype(np.float32)
        for part in (rows.query, rows.gallery)
    )
    return replace(rows, query=query, gallery=gallery)


def judged(a: Rows, b: Rows, *, fpr: float = FPR, limits: Thresholds = FLOAT32) -> dict[tuple[str, str | None], Check]:
    """Tuned on a."""
    sides = [Contestant(name, "s", rows, limits=limits) for name, rows in (("a", a), ("b", b))]
    found = operating_points(sides, fpr, "a")
    return {(check.subject, check.gallery): check for check in found}


def mixed_labels(seed: int, count: int) -> Labels:
    """With junk, distractors and three cameras."""
    generator = np.random.default_rng(seed)
    return Labels(generator.integers(JUNK, 7, count), generator.integers(0, 3, count))


def slowly(query: Rows, threshold: float) -> tuple[list[float], int, int, int]:
    """Scores of all strangers; how many of them, and of how many right pairs, are above a threshold."""
    strangers, false, right, true = [], 0, 0, 0
    who, known = query.query_labels, query.gallery_labels
    for q in range(len(who)):
        for g in range(len(known)):
            score = np.float32(query.query[q].astype(np.float64) @ query.gallery[g].astype(np.float64))
            if JUNK in (who.identity[q], known.identity[g]):
                continue
            if who.identity[q] != known.identity[g]:
                strangers.append(float(score))
                false += score > threshold
            elif who.camera is None or known.camera is None or who.camera[q] != known.camera[g]:
                right += 1
                true += score > threshold
    return strangers, false, right, true


def mixed(seed: int) -> Rows:
    generator = np.random.default_rng(seed)
    query, gallery = (unit(generator.standard_normal((count, 5))) for count in (40, 60))
    return Rows("mixed", query, gallery, mixed_labels(seed + 1, 40), mixed_labels(seed + 2, 60))


@pytest.mark.parametrize("fpr", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("block", [7, 256])
@pytest.mark.parametrize("clusters", [3, 1024])
def test_what_a_plain_loop_counts(fpr: float, block: int, clusters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "_BLOCK", block)
    monkeypatch.setattr(acceptance, "MOST_CLUSTERS", clusters)
    rows = mixed(3)
    pairs = Pairs.of(rows.query_labels, rows.gallery_labels)
    threshold = tuned(rows.query, rows.gallery, pairs, fpr)
    found = accepted(rows.query, rows.gallery, pairs, threshold)
    strangers, false, right, true = slowly(rows, threshold)
    assert threshold == pytest.approx(sorted(strangers, reverse=True)[int(fpr * len(strangers))], abs=1e-6)
    assert pairs.strangers.sum() == len(strangers)
    assert (found.strangers.sum(), found.right.sum(), found.all_right.sum()) == (false, true, right)
    assert false <= fpr * len(strangers)
    assert (found.strangers <= pairs.strangers).all()


def test_the_interval_over_pairs_is_that_of_drawing_identities_one_by_one() -> None:
    generator = np.random.default_rng(0)
    whole = generator.integers(1, 9, (6, 6)).astype(np.float64)
    part = whole * generator.random((6, 6))
    ratios = []
    for _ in range(2000):
        drawn = generator.integers(0, 6, 6)
        cells = [(part[i, j], whole[i, j]) for i in drawn for j in drawn]
        ratios.append(sum(cell[0] for cell in cells) / sum(cell[1] for cell in cells))
    found = pairs_bootstrap(part, whole)
    assert [found.low, found.high] == pytest.approx(np.quantile(ratios, (0.025, 0.975)), abs=0.02)


def test_draws_that_miss_the_whole_promise_nothing() -> None:
    """A single cell is missed by most draws: of the ratio nothing is known, whatever it is in the others."""
    whole = np.zeros((6, 6))
    whole[0, 1] = 10
    assert pairs_bootstrap(whole, whole) == Interval(0.0, np.inf)
    assert pairs_bootstrap(np.zeros((6, 6)), np.zeros((6, 6))) == Interval(0.0, np.inf)


def test_intervals_need_two_identities() -> None:
    with pytest.raises(SfscError, match="at least 2"):
        pairs_bootstrap(np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(SfscError, match="at least 2"):
        ratio_bootstrap(np.ones(3), np.array([1.0, 0, 0]))


def test_models_alike_keep_one_threshold() -> None:
    found = judged(people(seed=1), people(seed=2))
    assert list(found) == [("a", "b"), ("b", "a"), ("b", "b")]
    assert {check.status for check in found.values()} == {Status.PASS}
    assert {check.name for check in found.values()} == {"operating-point"}


def test_scores_that_lie_higher_let_strangers_pass() -> None:
    """The ranking of b within b is as good; only its scores all rise."""
    check = judged(people(seed=1), people(seed=2, lift=0.7))["b", "b"]
    assert check.status is Status.FAIL
    assert check.why.startswith("Strangers pass more than 2 times as often.")
    assert isinstance(check.details["shift"], float)
    assert check.details["shift"] > 0.05


def test_scores_that_lie_lower_turn_the_right_ones_away() -> None:
    """A component of its own takes from all scores with others; their ranking stays as it is."""
    check = judged(padded(people(seed=1), 0.0), padded(people(seed=2), 0.8))["a", "b"]
    assert check.status is Status.FAIL
    assert check.why.startswith("Right pairs are turned away")
    assert check.threshold == -FLOAT32.max_tpr_loss


def test_a_rate_beyond_its_limit_never_passes_and_its_interval_is_told() -> None:
    """2.1 times as often, but as little as 1.5 times for all that these images tell."""
    check = judged(people(seed=1), people(seed=2, lift=0.3))["b", "b"]
    details = {name: float(check.details[name]) for name in ("fpr_ratio", "fpr_ratio_low", "fpr_ratio_high")}
    assert isinstance(check.value, float)
    assert isinstance(check.threshold, float)
    assert check.status is Status.UNVERIFIED
    assert check.value > check.threshold
    assert details["fpr_ratio_low"] < 2 < details["fpr_ratio"] < details["fpr_ratio_high"]
    assert check.why.startswith("These images don't tell whether strangers pass more than 2 times as often.")
    assert f"95 % interval {details['fpr_ratio_low']:.2f} to {details['fpr_ratio_high']:.2f}" in check.why
    assert check.command == "sfsc-deploy verify-compat ... --data DIR"


def test_a_rate_within_its_limit_passes_only_with_its_whole_interval() -> None:
    """The same models, and with fewer images nobody knows."""
    few, more = (judged(people(count, seed=1), people(count, seed=2))["a", "b"] for count in (40, 80))
    assert (few.status, more.status) == (Status.UNVERIFIED, Status.PASS)
    assert few.details["fpr_ratio"] == pytest.approx(1.16, abs=0.01)


def test_a_loss_beyond_its_limit_never_passes() -> None:
    """6 points of the right pairs, but as few as 3 for all that these images tell."""
    check = judged(padded(people(seed=1), 0.0), padded(people(seed=2), 0.7))["a", "b"]
    assert check.status is Status.UNVERIFIED
    assert isinstance(check.value, float)
    assert check.value < -FLOAT32.max_tpr_loss < float(check.details["high"])
    assert check.why.startswith("These images don't tell whether right pairs are turned away by more than 5 points.")
    assert check.command is not None


def test_few_identities_of_which_none_lost_anything_prove_no_small_loss() -> None:
    """An interval without width is none: of 40 identities none is lost in 2.5 % of all samples, if 8.8 % of all are."""
    few, more = (judged(people(count, noise=0.1), people(count, noise=0.1))["a", "b"] for count in (40, 80))
    assert (few.status, more.status) == (Status.UNVERIFIED, Status.PASS)
    assert (few.details["low"], few.details["high"]) == (pytest.approx(0.025 ** (1 / 40) - 1), 0)


def tried(lost: int, identities: int, share: float = 1.0) -> Tried:
    """Of as many identities with 4 right pairs each, some lose the same share of them."""
    everyone = np.full(identities, 4.0)
    weaker = Accepted(np.zeros((1, 1)), everyone, everyone)
    here = replace(weaker, right=np.where(np.arange(identities) < lost, 4 * (1 - share), 4))
    return Tried("a", FPR, 0.5, here, weaker, weaker, 0.5)


@pytest.mark.parametrize("identities", [60, 72, 109, 150, 200])
def test_a_loss_just_beyond_its_limit_passes_in_no_more_than_2_5_percent_of_all_samples(identities: int) -> None:
    """Not only where none of them lost anything: each loses all its right pairs with a chance of 5.01 %."""
    passing = [lost for lost in range(12) if tried(lost, identities).loss(0.05).status is Status.PASS]
    chances = [math.comb(identities, lost) * 0.0501**lost * 0.9499 ** (identities - lost) for lost in passing]
    assert sum(chances) <= 0.025
    assert (0 in passing) is (identities >= 72)
    assert (1 in passing) is (identities >= 110)


def test_what_many_lose_a_little_of_counts_as_whole_identities() -> None:
    """20 identities that lose a twentieth each have lost as much as one that loses all."""
    many, one = tried(20, 150, 0.05), tried(1, 150)
    assert many.gain[0] == pytest.approx(one.gain[0])
    assert many.gain[1].low == pytest.approx(-largest_share(1, 150))


def test_what_the_others_gain_makes_losses_no_surer() -> None:
    """3 of 100 lose all, the rest gains more than that together."""
    found = tried(3, 100)
    found = replace(found, weaker=replace(found.weaker, right=np.full(100, 3.8)))
    assert found.gain[0] == pytest.approx(0.02)
    assert found.gain[1].low == pytest.approx(0.02 + 3 * 3.8 / 400 - largest_share(3, 100))


def test_strangers_of_one_pair_of_identities_prove_no_rate() -> None:
    """Whoever draws identities misses the pair most of the time, so that nothing is known of the rate."""
    twins = people(noise=0.01)
    direction = twins.query[0]
    query, gallery = twins.query.copy(), twins.gallery.copy()
    query[:20], gallery[:20] = direction, direction
    labels = Labels(np.r_[np.repeat([0, 1], 10), 2 + np.repeat(np.arange(70), 2)])
    rows = replace(twins, query=query, gallery=gallery, query_labels=labels, gallery_labels=labels)
    rows.query[:10] += 1e-3 * np.random.default_rng(0).standard_normal((10, DIM)).astype(np.float32)
    check = judged(rows, rows, fpr=0.0005)["a", "b"]
    assert check.status is Status.UNVERIFIED
    assert check.details["fpr_ratio_high"] == np.inf


def test_scores_that_tie_give_no_rate() -> None:
    """No threshold lets the rate asked for pass, so that nothing can be compared with it."""
    flat = people(noise=0)
    query, gallery = (
        np.where(rows > 0, 1, -1).astype(np.float32) / np.float32(DIM**0.5) for rows in (flat.query, flat.gallery)
    )
    rows = replace(flat, query=query, gallery=gallery)
    coarse = replace(rows, query=np.repeat(query[:1], len(query), axis=0))
    check = judged(coarse, rows)["b", "b"]
    assert check.status is Status.UNVERIFIED
    assert "tie" in check.why


def test_another_space_accepts_nobody_and_fails() -> None:
    """Its rate of strangers is perfect, and a threshold tuned for the pair itself would not do better."""
    found = judged(people(seed=1), turned(people(seed=1)))
    assert found["a", "b"].status is Status.FAIL
    assert found["a", "b"].details["tpr"] == pytest.approx(0, abs=0.05)


def test_a_model_that_is_weaker_all_over_is_not_blamed_for_that() -> None:
    found = judged(people(seed=1, noise=0.3), people(seed=2, noise=0.9))
    check = found["b", "b"]
    assert check.status is not Status.FAIL
    assert isinstance(check.details["tpr"], float)
    assert check.details["tpr"] < float(check.details["tpr_anchor"]) - FLOAT32.max_tpr_loss


def test_a_pair_is_measured_by_the_weaker_of_its_sides() -> None:
    strong, weak = people(seed=1, noise=0.3), people(seed=2, noise=0.9)
    found = judged(strong, weak)
    own = judged(weak, strong)["a", "b"].details["tpr_anchor"]  # tuned on the weak one itself
    assert found["a", "b"].details["tpr_weaker"] == found["b", "a"].details["tpr_weaker"] == own


def test_where_nothing_can_be_lost_nothing_is_proven() -> None:
    noisy = people(seed=1, noise=8)
    found = judged(noisy, people(seed=2, noise=8))
    assert {check.status for check in found.values()} == {Status.UNVERIFIED}
    assert "little to lose" in found["a", "b"].why


@pytest.mark.parametrize("fpr", [1e-3, 1e-4])
def test_too_few_strangers_prove_no_rate_and_the_number_needed_is_told(fpr: float) -> None:
    found = judged(people(40, seed=1), people(40, seed=2), fpr=fpr)["a", "b"]
    strangers = 80 * 80 - 80 * 2
    needed = 10 / fpr
    assert found.status is Status.UNVERIFIED
    assert f"{strangers:,} pairs of strangers" in found.why
    assert f"about {int(np.ceil(80 * np.sqrt(needed / strangers))):,} queries" in found.why
    assert found.command is not None


def test_too_few_identities_prove_nothing() -> None:
    found = judged(people(6, seed=1), people(6, seed=2), fpr=0.1)["a", "b"]
    assert found.status is Status.UNVERIFIED
    assert "6 identities, 8 are needed" in found.why


def test_a_policy_decides_what_is_tolerated() -> None:
    a, b = people(seed=1), people(seed=2, lift=0.7)
    lenient = replace(FLOAT32, max_fpr_ratio=100.0)
    assert judged(a, b)["b", "b"].status is Status.FAIL
    assert judged(a, b, limits=lenient)["b", "b"].status is Status.PASS


def test_of_a_pair_the_looser_threshold_holds() -> None:
    one, other = replace(FLOAT32, max_fpr_ratio=3.0, min_cosine=0.5), replace(INT8, max_tpr_loss=0.2)
    found = limits_of_pair(one, other)
    assert (found.max_fpr_ratio, found.max_tpr_loss, found.min_cosine) == (3.0, 0.2, 0.5)
    assert (found.norm, found.max_difference, found.top_k) == (INT8.norm, INT8.max_difference, INT8.top_k)


def test_of_a_pair_as_much_evidence_is_wanted_as_the_stricter_side_wants() -> None:
    strict = replace(FLOAT32, min_identities=32)
    for pair in ((strict, INT8), (INT8, strict)):
        assert limits_of_pair(*pair).min_identities == 32


def test_what_takes_no_part_is_unverified_with_its_reason() -> None:
    sides = [Contestant("a", "s", people(seed=1)), Contestant("b", "s", unverified("It has no GPU."))]
    found = operating_points(sides, FPR, "a")
    assert {(check.status, check.why) for check in found} == {(Status.UNVERIFIED, "b: It has no GPU.")}


def test_without_an_anchor_nothing_is_proven() -> None:
    sides = [Contestant(name, "s", unverified("It has no GPU.")) for name in "ab"]
    found = operating_points(sides, FPR, None)
    assert {check.status for check in found} == {Status.UNVERIFIED}
    assert len(found) == 4


@pytest.mark.parametrize("fpr", [0.0, -1.0, 0.2, float("nan"), float("inf")])
def test_a_rate_that_makes_no_sense_is_refused(fpr: float) -> None:
    with pytest.raises(SfscError, match="false positive rate"):
        refuse_senseless(fpr, None, ["a"])


def test_the_command_makes_it_only_when_asked(exported: Path) -> None:
    subjects = [str(exported / name) for name in ("server-cpu.onnx", "raspberry-pi.onnx")]
    asked = CliRunner().invoke(
        app, ["verify-compat", *subjects, "--fpr", "0.05", "--anchor", subjects[1], "--json", "-"]
    )
    assert asked.exit_code in (0, 3), asked.output
    found = [check for check in json.loads(asked.stdout)["checks"] if check["name"] == "operating-point"]
    assert {(check["subject"], check["gallery"]) for check in found} == {
        (one, other) for one in subjects for other in subjects if (one, other) != (subjects[1], subjects[1])
    }
    assert {check["details"]["anchor"] for check in found} == {subjects[1]}
    plain = CliRunner().invoke(app, ["verify-compat", *subjects])
    assert "operating-point" not in plain.output
