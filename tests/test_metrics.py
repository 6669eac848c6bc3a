import math
import tracemalloc
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import JUNK, Labels, Retrieval, retrieve

Scores = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A score matrix [Q, G] with labels. One-hot queries against its columns have exactly these scores."""

    scores: Scores
    query: Labels
    gallery: Labels

    def retrieve(self, block: int = 256) -> Retrieval:
        one_hot = np.eye(len(self.scores), dtype=np.float32)
        return retrieve(one_hot, self.scores.T.astype(np.float32), self.query, self.gallery, block=block)

    def reorder(self, queries: NDArray[np.int64], images: NDArray[np.int64]) -> "Case":
        return Case(self.scores[queries][:, images], _take(self.query, queries), _take(self.gallery, images))


def _take(labels: Labels, kept: NDArray[np.int64]) -> Labels:
    return Labels(labels.identity[kept], None if labels.camera is None else labels.camera[kept])


def slow_answer(scores: Scores, who: int, camera: int | None, gallery: Labels) -> tuple[float, int]:
    """Average precision and rank of the first match of one query, by walking down the sorted gallery."""
    ranking = []
    for image, score in enumerate(scores):
        identity = int(gallery.identity[image])
        same_camera = camera is not None and gallery.camera is not None and gallery.camera[image] == camera
        if identity == JUNK or (identity == who and same_camera):
            continue
        ranking.append((-float(score), identity == who))
    precisions: list[float] = []
    first = 0
    for rank, (_, is_match) in enumerate(sorted(ranking), start=1):
        if is_match:
            precisions.append((len(precisions) + 1) / rank)
            first = first or rank
    return (sum(precisions) / len(precisions) if precisions else math.nan), first


def assert_equals_slow_reference(found: Retrieval, case: Case) -> None:
    for row, scores in enumerate(case.scores):
        camera = None if case.query.camera is None else int(case.query.camera[row])
        precision, first = slow_answer(scores, int(case.query.identity[row]), camera, case.gallery)
        assert found.first_match[row] == first
        np.testing.assert_allclose(found.average_precision[row], precision, rtol=1e-14)


def labels(count: int, lowest: int) -> st.SearchStrategy[Labels]:
    def column(low: int, high: int) -> st.SearchStrategy[NDArray[np.int64]]:
        return hnp.arrays(np.int64, count, elements=st.integers(low, high))

    return st.builds(Labels, column(lowest, 3), st.none() | column(0, 2))


@st.composite
def tied_cases(draw: st.DrawFn) -> Case:
    queries, images = draw(st.integers(1, 4)), draw(st.integers(0, 12))
    scores = draw(hnp.arrays(np.float32, (queries, images), elements=st.integers(-2, 2)))
    return Case(scores, draw(labels(queries, lowest=JUNK)), draw(labels(images, lowest=JUNK)))


def random_case(
    seed: int, queries: int = 40, images: int = 200, dim: int = 16
) -> tuple[Case, NDArray[np.float32], NDArray[np.float32]]:
    """Normalised embeddings with their scores in plain float64; many cameras, junk, some queries unanswered."""
    rng = np.random.default_rng(seed)
    embedding = rng.standard_normal((queries + images, dim))
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    query, gallery = np.split(embedding.astype(np.float32), [queries])
    case = Case(
        query.astype(np.float64) @ gallery.astype(np.float64).T,
        Labels(rng.integers(0, 15, queries), rng.integers(0, 4, queries)),
        Labels(rng.integers(JUNK, 12, images), rng.integers(0, 4, images)),
    )
    return case, query, gallery


@given(tied_cases(), st.integers(1, 5))
def test_tied_scores_equal_the_slow_reference(case: Case, block: int) -> None:
    assert_equals_slow_reference(case.retrieve(block), case)


@pytest.mark.parametrize("seed", range(5))
def test_random_embeddings_equal_the_slow_reference(seed: int) -> None:
    case, query, gallery = random_case(seed)
    found = retrieve(query, gallery, case.query, case.gallery)
    assert 0 < found.queries < len(query)
    assert_equals_slow_reference(found, case)


@given(tied_cases(), st.randoms(use_true_random=False))
def test_nothing_depends_on_the_order_of_queries_and_gallery(case: Case, random: Random) -> None:
    queries, images = list(range(case.scores.shape[0])), list(range(case.scores.shape[1]))
    random.shuffle(queries)
    random.shuffle(images)
    order = np.array(queries, dtype=np.int64)
    found, shuffled = case.retrieve(), case.reorder(order, np.array(images, dtype=np.int64)).retrieve()
    np.testing.assert_array_equal(shuffled.average_precision, found.average_precision[order])
    np.testing.assert_array_equal(shuffled.first_match, found.first_match[order])
    if found.queries:
        assert shuffled.map == found.map


def test_the_mean_is_the_same_to_the_last_bit_in_any_order() -> None:
    first = np.ones(1000, dtype=np.int64)
    for precision in np.random.default_rng(0).random((20, 1000)):
        assert Retrieval(precision, first).map == Retrieval(np.sort(precision), first).map


@pytest.mark.parametrize("block", [1, 3, 39, 40, 1000])
def test_nothing_depends_on_the_block(block: int) -> None:
    case, query, gallery = random_case(0)
    found = retrieve(query, gallery, case.query, case.gallery, block=block)
    whole = retrieve(query, gallery, case.query, case.gallery)
    np.testing.assert_array_equal(found.average_precision, whole.average_precision)
    np.testing.assert_array_equal(found.first_match, whole.first_match)


def one_query(relevance: list[int], scores: list[float] | None = None) -> Retrieval:
    """A query of identity 1 against images that are relevant or not, best first unless `scores` says otherwise."""
    descending = np.array([scores or range(len(relevance), 0, -1)], dtype=np.float32)
    return Case(descending, Labels(np.array([1])), Labels(np.array([1 if r else 2 for r in relevance]))).retrieve()


@pytest.mark.parametrize(
    ("relevance", "average_precision", "first"),
    [
        ([1, 0, 1, 0, 0, 1], (1 / 1 + 2 / 3 + 3 / 6) / 3, 1),
        ([0, 1, 0, 0, 1, 0], (1 / 2 + 2 / 5) / 2, 2),
        ([1, 1, 1], 1.0, 1),
        ([0, 0, 0, 1], 1 / 4, 4),
        ([1], 1.0, 1),
    ],
)
def test_average_precision_by_hand(relevance: list[int], average_precision: float, first: int) -> None:
    found = one_query(relevance)
    assert found.average_precision[0] == pytest.approx(average_precision, abs=1e-15)
    assert found.first_match[0] == first


def test_a_match_ranks_after_all_wrong_images_of_its_score() -> None:
    found = one_query([1, 0, 1, 0, 0], scores=[5, 5, 3, 3, 3])
    assert found.average_precision[0] == pytest.approx((1 / 2 + 2 / 5) / 2)


def test_a_collapsed_embedding_gains_nothing() -> None:
    same = np.tile(np.random.default_rng(0).standard_normal((1, 64)).astype(np.float32), (100, 1))
    identity = np.arange(100) % 50
    found = retrieve(same, same, Labels(identity), Labels(identity))
    np.testing.assert_array_equal(found.first_match, 99)
    assert found.map == pytest.approx((1 / 99 + 2 / 100) / 2)


def test_market_rules_leave_out_the_own_camera_and_junk_but_not_distractors() -> None:
    case = Case(
        np.array([[9, 8, 7, 6, 5, 4]], dtype=np.float32),
        Labels(identity=np.array([7]), camera=np.array([1])),
        #      own camera  junk  distractor  match  other, own camera  match
        Labels(identity=np.array([7, JUNK, 0, 7, 3, 7]), camera=np.array([1, 2, 2, 2, 1, 3])),
    )
    found = case.retrieve()
    assert found.average_precision[0] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.first_match[0] == 2


@pytest.mark.parametrize("side", ["query", "gallery"])
def test_the_camera_rule_needs_the_cameras_of_both_sides(side: str) -> None:
    known, unknown = Labels(np.array([7]), np.array([1])), Labels(np.array([7]))
    sides = (known, unknown) if side == "query" else (unknown, known)
    assert Case(np.ones((1, 1), np.float32), *sides).retrieve().queries == 1
    assert Case(np.ones((1, 1), np.float32), known, known).retrieve().queries == 0


def test_rank_k_is_the_share_of_counted_queries_answered_in_time() -> None:
    found = Retrieval(np.array([1.0, 0.5, np.nan, 0.2]), np.array([1, 2, 0, 5]))
    assert [found.rank(k) for k in (1, 2, 4, 5)] == [1 / 3, 2 / 3, 2 / 3, 1.0]
    assert found.map == pytest.approx(1.7 / 3)
    assert found.queries == 3


def test_a_query_without_match_is_not_counted() -> None:
    case = Case(np.ones((3, 1), np.float32), Labels(np.array([1, 2, JUNK])), Labels(np.array([1])))
    found = case.retrieve()
    assert found.queries == 1
    assert np.isnan(found.average_precision[1:]).all()
    assert found.map == 1.0


def test_no_answer_at_all_is_an_error_and_not_a_number() -> None:
    found = Case(np.ones((1, 1), np.float32), Labels(np.array([1])), Labels(np.array([2]))).retrieve()
    with pytest.raises(SfscError, match="No query has a match in the gallery"):
        _ = found.map
    with pytest.raises(SfscError, match="No query has a match in the gallery"):
        found.rank(1)


@pytest.mark.parametrize("row", [0, 1])
def test_an_embedding_that_is_not_finite_is_refused_even_for_junk(row: int) -> None:
    gallery = np.ones((2, 3), dtype=np.float32)
    gallery[row, 1] = np.nan
    with pytest.raises(SfscError, match=f"1 of 2 gallery embeddings can't be ranked: number {row} has norm nan"):
        retrieve(gallery[1 - row : 2 - row], gallery, Labels(np.array([1])), Labels(np.array([JUNK, 1])))


def test_labels_of_another_length_are_refused() -> None:
    two, three = np.ones((2, 4), np.float32), Labels(np.arange(3))
    with pytest.raises(SfscError, match="2 query embeddings have 3 labels"):
        retrieve(two, two, three, three)
    with pytest.raises(SfscError, match="3 identities and 2 cameras"):
        Labels(np.arange(3), np.arange(2))


def test_memory_follows_the_block_and_not_the_score_matrix() -> None:
    gallery = np.random.default_rng(0).standard_normal((20_000, 4)).astype(np.float32)
    who = np.arange(20_000) % 200
    tracemalloc.start()
    retrieve(gallery[:200], gallery, Labels(who[:200]), Labels(who), block=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 20_000 * 4 / 3
