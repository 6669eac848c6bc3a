"""The compatibility criterion holds mAP and, within a limit, rank-1; each is measured by its own weaker self-test."""

from dataclasses import replace

import numpy as np
import pytest

from sfsc_deploy.metrics import Retrieval
from sfsc_deploy.verification.criterion import criterion
from sfsc_deploy.verification.summary import remarks
from sfsc_deploy.verification.thresholds import FLOAT32
from sfsc_deploy.verification.verdict import Check, Status, Verdict

QUERIES = 400
IDENTITY = np.arange(QUERIES) // 4


def found(average_precision: float, wrong_first: int) -> Retrieval:
    """The first image is wrong of as many queries, those of a lower number among them; the same average precision."""
    first = np.ones(QUERIES, dtype=np.int64)
    first[np.random.default_rng(0).permutation(QUERIES)[:wrong_first]] = 2
    return Retrieval(np.full(QUERIES, average_precision), first)


def test_lost_first_matches_fail_however_mean_average_precision_rises() -> None:
    finding = criterion(found(0.7, 100), [found(0.6, 20), found(0.65, 20)], IDENTITY)
    assert finding.status is Status.FAIL
    assert finding.value == pytest.approx(-0.2)
    assert finding.threshold == pytest.approx(-FLOAT32.max_rank1_loss)
    assert finding.details["measure"] == "rank-1"
    assert "mAP 70.0 %, the weaker self-test has 60.0 %: +10.0 points" in finding.why
    assert "Rank-1 75.0 %, the weaker self-test 95.0 %: -20.0 points" in finding.why
    assert "more than 5.0 points of first matches are lost beyond chance. mAP" in finding.why


def test_a_loss_of_rank_1_within_its_limit_is_told_and_passes() -> None:
    finding = criterion(found(0.6, 23), [found(0.6, 20)] * 2, IDENTITY)
    assert finding.status is Status.PASS
    assert finding.value == pytest.approx(0)
    assert -0.02 < float(finding.details["rank1_low"]) <= float(finding.details["rank1_high"]) <= 0
    assert "lost beyond" not in finding.why


def test_a_loss_beyond_chance_is_told_even_where_it_is_allowed() -> None:
    finding = criterion(found(0.6, 36), [found(0.6, 20)], IDENTITY)
    assert finding.status is Status.PASS
    assert finding.why.endswith("first matches are lost beyond chance, though not surely more than 5.0 points.")


def test_a_policy_decides_how_much_of_rank_1_may_be_lost() -> None:
    cross, own = found(0.6, 60), found(0.6, 20)
    assert criterion(cross, [own], IDENTITY, replace(FLOAT32, max_rank1_loss=0.2)).status is Status.PASS
    strict = replace(FLOAT32, max_rank1_loss=0.0)
    assert criterion(found(0.6, 28), [own], IDENTITY, strict).status is Status.FAIL
    assert criterion(found(0.6, 20), [own], IDENTITY, strict).status is Status.PASS


def test_each_measure_has_a_weaker_side_of_its_own() -> None:
    """One side has the lower mAP, the other the lower rank-1: a pair that reaches both lower ones is compatible."""
    sides = [found(0.5, 10), found(0.8, 90)]
    assert criterion(found(0.5, 90), sides, IDENTITY).status is Status.PASS
    assert criterion(found(0.5, 170), sides, IDENTITY).status is Status.FAIL
    assert criterion(found(0.45, 90), sides, IDENTITY).status is Status.FAIL


def test_where_both_are_lost_mean_average_precision_is_the_value() -> None:
    finding = criterion(found(0.4, 100), [found(0.6, 20)], IDENTITY)
    assert finding.status is Status.FAIL
    assert finding.value == pytest.approx(-0.2)
    assert finding.details["measure"] == "mAP"


def test_without_a_match_nothing_is_told() -> None:
    none = Retrieval(np.full(QUERIES, np.nan), np.zeros(QUERIES, dtype=np.int64))
    assert criterion(none, [none, none], IDENTITY).status is Status.UNVERIFIED


def test_too_few_identities_tell_nothing_of_either() -> None:
    few = np.arange(QUERIES) % 4
    assert criterion(found(0.6, 60), [found(0.6, 0)], few).status is Status.UNVERIFIED


def test_the_verdict_remarks_on_the_pair_that_loses_most_of_rank_1() -> None:
    own = [found(0.6, 20)]
    losses = {"b": found(0.6, 32), "c": found(0.6, 36), "d": found(0.6, 20)}
    checks = [Check.of("criterion", "a", criterion(cross, own, IDENTITY), name) for name, cross in losses.items()]
    (remark,) = [each for each in remarks(Verdict((), tuple(checks))) if each.startswith("Rank-1")]
    assert "in 2 pairs, most in a to c: -4.0 points to the weaker self-test (95 % interval" in remark
    assert remark.endswith("lies below -5.0 points.")
    assert not any(each.startswith("Rank-1") for each in remarks(Verdict((), tuple(checks[2:]))))
