from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.scores import mean_directions, on_grid, row_cosines, score_blocks, top_k

Embedding = NDArray[np.float32]

rows = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5),
    elements=st.floats(-1.0, 1.0, width=32),
)


def unit(seed: int, count: int, dim: int) -> Embedding:
    drawn = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    normalised: Embedding = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return normalised


def scores_of(query: Embedding, gallery: Embedding, block: int = 256) -> Embedding:
    return np.concatenate([scores for _, scores in score_blocks(query, gallery, block)])


def exact_sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> Fraction:
    return sum((Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b, strict=True)), Fraction(0))


def assert_scores_are_exact(query: Embedding, gallery: Embedding) -> None:
    scores = scores_of(query, gallery)
    for i, a in enumerate(on_grid(query, "query")):
        for j, b in enumerate(on_grid(gallery, "gallery")):
            exact = exact_sum(a, b)
            assert Fraction(float(exact)) == exact
            assert scores[i, j] == np.float32(float(exact))


@given(rows)
def test_scores_of_any_rows_are_exact(embedding: Embedding) -> None:
    assert_scores_are_exact(embedding, embedding[::-1])


@pytest.mark.parametrize("dim", [1, 3, 512, 2048])
def test_scores_of_normalised_rows_are_exact(dim: int) -> None:
    query = unit(1, 3, dim)
    assert_scores_are_exact(query, np.concatenate([query, -query, unit(2, 2, dim)]))


def test_partial_sums_that_only_grow_stay_exact() -> None:
    level = np.full((1, 512), 1 / np.sqrt(512), dtype=np.float32)
    assert_scores_are_exact(level, np.nextafter(level, np.float32(1)))


def test_each_partial_sum_is_exact_in_any_order() -> None:
    query, gallery = on_grid(unit(1, 1, 512), "query")[0], on_grid(unit(2, 1, 512), "gallery")[0]
    order = np.random.default_rng(3).permutation(512)
    products = (query * gallery)[order]
    exact = Fraction(0)
    for product, partial in zip(products, np.add.accumulate(products), strict=True):
        exact += Fraction(float(product))
        assert Fraction(float(partial)) == exact


@given(rows)
def test_the_grid_takes_away_less_than_it_promises(embedding: Embedding) -> None:
    wide = embedding.astype(np.float64)
    norm = np.linalg.norm(wide, axis=1, keepdims=True)
    assert np.all(np.abs(on_grid(embedding, "query") - wide) <= 2.0**-26 * norm)


def test_the_grid_of_normalised_rows_is_the_same_however_their_norm_was_rounded() -> None:
    for norm in (1 - 1e-6, 1.0, 1 + 1e-6):
        units = on_grid(np.float32(norm) * unit(0, 8, 64), "query") * 2.0**26
        np.testing.assert_array_equal(units, np.rint(units))
        assert np.any(units % 2 == 1, axis=1).all()


def test_the_grid_of_a_row_is_not_changed_by_other_rows() -> None:
    embedding = unit(0, 4, 16)
    others = np.concatenate([embedding, 1e6 * unit(1, 4, 16), np.zeros((1, 16), np.float32)])
    np.testing.assert_array_equal(on_grid(others, "query")[:4], on_grid(embedding, "query"))


def test_scores_are_close_to_the_products_of_the_embeddings_themselves() -> None:
    query, gallery = unit(1, 20, 512), unit(2, 300, 512)
    plain = query.astype(np.float64) @ gallery.astype(np.float64).T
    assert np.abs(scores_of(query, gallery) - plain).max() < 2.0**-24


@pytest.mark.parametrize("block", [1, 2, 7, 64])
def test_scores_depend_neither_on_block_nor_on_order(block: int) -> None:
    query, gallery = unit(1, 33, 96), unit(2, 101, 96)
    rng = np.random.default_rng(3)
    rows, columns, dims = rng.permutation(33), rng.permutation(101), rng.permutation(96)
    shuffled = scores_of(query[rows][:, dims], gallery[columns][:, dims], block)
    np.testing.assert_array_equal(shuffled, scores_of(query, gallery)[rows][:, columns])


def test_blocks_tell_where_they_start() -> None:
    blocks = list(score_blocks(unit(0, 5, 4), unit(1, 3, 4), 2))
    assert [(start, scores.shape) for start, scores in blocks] == [(0, (2, 3)), (2, (2, 3)), (4, (1, 3))]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("side", ["query", "gallery"])
def test_embeddings_that_cannot_be_ranked_are_refused_by_number(bad: float, side: str) -> None:
    sides = {"query": unit(0, 3, 4), "gallery": unit(1, 3, 4)}
    sides[side][2, 1] = bad
    with pytest.raises(SfscError, match=f"1 of 3 {side} embeddings can't be ranked: number 2"):
        scores_of(sides["query"], sides["gallery"])


def test_embeddings_of_two_sizes_are_refused() -> None:
    with pytest.raises(SfscError, match="Query embeddings have 8 dimensions, gallery embeddings 4"):
        scores_of(unit(0, 2, 8), unit(0, 2, 4))


def test_a_single_embedding_without_rows_is_refused() -> None:
    with pytest.raises(SfscError, match=r"query embeddings need shape \[N, D\], not \[4\]"):
        scores_of(unit(0, 1, 4)[0], unit(0, 2, 4))


@given(hnp.arrays(np.float32, (3, 6), elements=st.integers(-2, 2)), st.integers(1, 6))
def test_top_k_is_by_score_then_by_index(score: Embedding, k: int) -> None:
    expected = [sorted(range(6), key=lambda j, row=row: (-row[j], j))[:k] for row in score]  # type: ignore[misc]
    np.testing.assert_array_equal(top_k(np.eye(3, dtype=np.float32), score.T, k), expected)


def test_top_k_goes_on_after_its_first_block() -> None:
    query = unit(0, 300, 8)
    np.testing.assert_array_equal(top_k(query, query, 1)[:, 0], np.arange(300))


@pytest.mark.parametrize("k", [0, 5])
def test_top_k_refuses_what_the_gallery_cannot_give(k: int) -> None:
    with pytest.raises(SfscError, match=f"from 1 to the 4 images of the gallery, not {k}"):
        top_k(unit(0, 2, 4), unit(0, 4, 4), k)


def test_row_cosines_are_those_of_the_formula_and_a_row_of_zeros_agrees_with_nothing() -> None:
    rng = np.random.default_rng(0)
    embedding, reference = rng.standard_normal((2, 5, 8)).astype(np.float32)
    embedding[2] = 0
    slow = [
        0.0 if not row.any() else float(row @ wanted) / (float(row @ row) * float(wanted @ wanted)) ** 0.5
        for row, wanted in zip(embedding.astype(np.float64), reference.astype(np.float64), strict=True)
    ]
    np.testing.assert_allclose(row_cosines(embedding, reference), slow, rtol=1e-12)


@given(st.integers(0, 1000), st.integers(1, 4))
def test_mean_directions_by_definition(seed: int, identities: int) -> None:
    rng = np.random.default_rng(seed)
    identity = np.concatenate([np.arange(identities), rng.integers(0, identities, 5)])
    rows = rng.normal(size=(len(identity), 3)).astype(np.float32)
    for number, direction in enumerate(mean_directions(rows, identity)):
        mean = rows[identity == number].astype(np.float64).mean(0)
        np.testing.assert_allclose(direction, mean / np.linalg.norm(mean), rtol=1e-5, atol=1e-6)
