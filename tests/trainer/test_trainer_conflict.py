"""Gradient projection by Gram matrices, against PCGrad on explicit vectors."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from trainer.conflict import Extent, combine, reconcile, ring_grams
from trainer.gradients import GradientRows
from trainer.slimmable import Region

EXTENTS: tuple[Extent, ...] = ("none", "zero-padded", "shared")
Vectors = NDArray[np.float64]
Masks = NDArray[np.bool_]


def rows_with(shapes: list[tuple[int, ...]], regions: list[tuple[Region, ...]], seed: int) -> GradientRows:
    """Random gradients that pull apart often, each zero where its width owns nothing."""
    parameters = {str(i): nn.Parameter(torch.zeros(shape)) for i, shape in enumerate(shapes)}
    owned = [{str(i): nested[k] for i, nested in enumerate(regions)} for k in range(len(regions[0]))]
    rows = GradientRows(parameters, owned)
    generator = torch.Generator().manual_seed(seed)
    for tensor in rows.tensors:
        common = torch.randn(tensor.parameter.shape, generator=generator)
        for row, region in zip(tensor.rows, tensor.regions, strict=True):
            pull = torch.randn((), generator=generator)
            row[region] = (torch.randn(row.shape, generator=generator) + pull * common)[region]
    return rows


@st.composite
def gradient_rows(draw: st.DrawFn, widths: int | None = None) -> GradientRows:
    """One to three tensors of two to four dimensions; nested regions, some of them equal, some shared as a whole."""
    count = widths or draw(st.integers(1, 4))
    shapes, regions = [], []
    for _ in range(draw(st.integers(1, 3))):
        shape = (draw(st.integers(1, 6)), draw(st.integers(1, 6)), *draw(st.sampled_from([(), (3,), (2, 2)])))
        cuts = [sorted(draw(st.lists(st.integers(1, side), min_size=count, max_size=count))) for side in shape[:2]]
        nested = tuple((slice(rows), slice(columns)) for rows, columns in zip(*cuts, strict=True))
        shapes.append(shape)
        regions.append(tuple(() for _ in range(count)) if draw(st.integers(0, 4)) == 0 else nested)
    return rows_with(shapes, regions, draw(st.integers(0, 10_000)))


def vectors_and_masks(rows: GradientRows) -> list[tuple[Vectors, Masks]]:
    """Of each tensor, the gradients as flat vectors and which of their elements each width owns."""
    found = []
    for tensor in rows.tensors:
        owns = torch.zeros(tensor.rows.shape, dtype=torch.bool)
        for row, region in enumerate(tensor.regions):
            owns[row][region] = True
        found.append((tensor.rows.flatten(1).double().numpy().copy(), owns.flatten(1).numpy()))
    return found


def pcgrad(gradients: Vectors, owns: Masks, extent: Extent, orders: list[list[int]]) -> Vectors:
    """The slow, obvious way: algorithm 1 of arXiv 2001.06782."""
    total = np.zeros(gradients.shape[1])
    for i, order in enumerate(orders):
        projected = gradients[i].copy()
        for j in order:
            over = owns[i] & owns[j] if extent == "shared" else np.ones(len(projected), bool)
            inner, square = projected[over] @ gradients[j][over], gradients[j][over] @ gradients[j][over]
            if extent != "none" and i != j and inner < 0 < square:
                projected[over] -= inner / square * gradients[j][over]
        total += projected
    return total


def orders_of(count: int, seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randperm(count, generator=generator).tolist() for _ in range(count)]


def share_of_conflicts(rows: GradientRows, extent: Extent, *, seed: int = 0, **asked: Any) -> float:
    """Reconciles, with equal priorities and tensor by tensor unless asked otherwise."""
    settings = {"priorities": [1.0] * len(rows.buffer), "whole_network": False} | asked
    return reconcile(rows, extent, generator=torch.Generator().manual_seed(seed), **settings).conflicting


def reconciled(rows: GradientRows, extent: Extent, **asked: Any) -> list[NDArray[np.float32]]:
    share_of_conflicts(rows, extent, **asked)
    return [tensor.total.flatten().numpy().copy() for tensor in rows.tensors]


def two_widths(narrow: float, wide: tuple[float, float]) -> GradientRows:
    rows = rows_with([(1, 2)], [((slice(1), slice(1)), (slice(1), slice(2)))], seed=0)
    rows.tensors[0].rows.copy_(torch.tensor([[[narrow, 0.0]], [[*wide]]]))
    return rows


@pytest.mark.parametrize(("extent", "expected"), [("none", [0, 3]), ("zero-padded", [-0.9, 3.3]), ("shared", [0, 3])])
def test_two_widths_by_hand(extent: Extent, expected: list[float]) -> None:
    """Zero-padded, the narrow [-1, 0] moves to [-0.9, 0.3]; the wide [1, 3] moves to [0, 3] either way."""
    (total,) = reconciled(two_widths(-1, (1, 3)), extent)
    np.testing.assert_allclose(total, expected, atol=1e-6)


def test_shared_extent_leaves_what_the_narrow_model_does_not_own_alone() -> None:
    (total,) = reconciled(two_widths(-2, (1, 3)), "shared")
    np.testing.assert_allclose(total, [0, 3], atol=1e-6)
    (total,) = reconciled(two_widths(-2, (1, 3)), "none")
    np.testing.assert_allclose(total, [-1, 3], atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(gradient_rows(), st.sampled_from(EXTENTS), st.integers(0, 1000))
def test_every_tensor_equals_explicit_projection(rows: GradientRows, extent: Extent, seed: int) -> None:
    orders = orders_of(len(rows.buffer), seed)
    expected = [pcgrad(vectors, masks, extent, orders) for vectors, masks in vectors_and_masks(rows)]
    for found, wanted in zip(reconciled(rows, extent, seed=seed), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4, rtol=1e-4)


@settings(max_examples=100, deadline=None)
@given(gradient_rows(), st.sampled_from(EXTENTS), st.integers(0, 1000))
def test_the_whole_network_is_one_long_vector(rows: GradientRows, extent: Extent, seed: int) -> None:
    vectors, masks = (np.concatenate(parts, 1) for parts in zip(*vectors_and_masks(rows), strict=True))
    expected = pcgrad(vectors, masks, extent, orders_of(len(vectors), seed))
    found = np.concatenate(reconciled(rows, extent, whole_network=True, seed=seed))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


def agreeing(rows: GradientRows) -> GradientRows:
    rows.buffer.abs_()
    return rows


@settings(max_examples=30, deadline=None)
@given(gradient_rows().map(agreeing), st.sampled_from(EXTENTS), st.booleans())
def test_gradients_that_agree_are_summed(rows: GradientRows, extent: Extent, whole: bool) -> None:
    assert share_of_conflicts(rows, extent, whole_network=whole) == 0
    for tensor in rows.tensors:
        torch.testing.assert_close(tensor.total, tensor.rows.sum(0))


@settings(max_examples=60, deadline=None)
@given(gradient_rows(widths=2), st.sampled_from(EXTENTS[1:]))
def test_between_two_widths_the_total_is_against_neither(rows: GradientRows, extent: Extent) -> None:
    for (vectors, _), total in zip(vectors_and_masks(rows), reconciled(rows, extent), strict=True):
        assert (vectors @ total > -1e-4 * (vectors**2).sum()).all()


@settings(max_examples=30, deadline=None)
@given(gradient_rows(), st.sampled_from(EXTENTS), st.sampled_from([2.0**-30, 0.25, 2.0**20]))
def test_the_total_scales_with_the_gradients(rows: GradientRows, extent: Extent, factor: float) -> None:
    plain = reconciled(rows, extent)
    rows.buffer.mul_(factor)
    for scaled, expected in zip(reconciled(rows, extent), plain, strict=True):
        np.testing.assert_allclose(scaled / factor, expected, rtol=1e-5, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(gradient_rows(widths=3), st.sampled_from(EXTENTS), st.booleans())
def test_priorities_act_as_if_the_losses_had_been_multiplied(rows: GradientRows, extent: Extent, whole: bool) -> None:
    priorities = [2.0, 0.5, 1.0]
    weighed = reconciled(rows, extent, priorities=priorities, whole_network=whole)
    rows.buffer.mul_(torch.tensor(priorities)[:, None])
    for found, expected in zip(weighed, reconciled(rows, extent, whole_network=whole), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(gradient_rows())
def test_rings_sum_to_the_gram_matrix(rows: GradientRows) -> None:
    for tensor in rows.tensors:
        flat = tensor.rows.flatten(1)
        torch.testing.assert_close(ring_grams(tensor).sum(0), flat @ flat.T, atol=1e-3, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(gradient_rows())
def test_a_ring_holds_the_products_outside_the_ring_before(rows: GradientRows) -> None:
    for tensor, (vectors, masks) in zip(rows.tensors, vectors_and_masks(rows), strict=True):
        inner = np.zeros(vectors.shape[1], bool)
        for gram, outer in zip(ring_grams(tensor), masks, strict=True):
            within = vectors[:, outer & ~inner]
            np.testing.assert_allclose(gram, within @ within.T, atol=1e-3, rtol=1e-4)
            inner = outer


def test_products_of_large_tensors_keep_their_precision() -> None:
    whole: tuple[Region, ...] = ((), ())
    rows = rows_with([(256, 4096)], [whole, whole], seed=0)
    exact = rows.tensors[0].rows.flatten(1).double()
    relative = ring_grams(rows.tensors[0]).sum(0) / (exact @ exact.T) - 1
    assert relative.diagonal().abs().max() < 1e-6


def test_widths_that_own_nothing_of_a_ring_have_products_of_exactly_zero() -> None:
    rows = rows_with([(64, 64)], [tuple((slice(16 * k), slice(16 * k)) for k in (1, 2, 4))], seed=0)
    grams = ring_grams(rows.tensors[0])
    assert not grams[1, 0].any()
    assert not grams[2, :2].any()
    assert not grams[2, :, :2].any()


@settings(max_examples=30, deadline=None)
@given(gradient_rows(), st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_equal_coefficients_in_all_rings_give_one_sum(rows: GradientRows, coefficients: list[float]) -> None:
    count = len(rows.buffer)
    for tensor in rows.tensors:
        combine(tensor, [coefficients[:count]] * count)
        expected = torch.tensordot(torch.tensor(coefficients[:count]), tensor.rows, 1)
        torch.testing.assert_close(tensor.total, expected, atol=1e-5, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(gradient_rows(), st.integers(0, 1000))
def test_every_ring_has_coefficients_of_its_own(rows: GradientRows, seed: int) -> None:
    count = len(rows.buffer)
    coefficients = np.random.default_rng(seed).uniform(-2, 2, (count, count))
    for tensor, (vectors, masks) in zip(rows.tensors, vectors_and_masks(rows), strict=True):
        combine(tensor, coefficients.tolist())
        expected = np.zeros(vectors.shape[1])
        for ring in reversed(range(count)):
            expected[masks[ring]] = (coefficients[ring] @ vectors)[masks[ring]]
        np.testing.assert_allclose(tensor.total.flatten(), expected, atol=1e-4)


def test_the_order_of_projections_follows_the_generator() -> None:
    def total(seed: int) -> list[NDArray[np.float32]]:
        nested = tuple((slice(2 * k), slice(2 * k)) for k in (1, 2, 3))
        rows = rows_with([(6, 6)] * 4, [nested] * 4, seed=3)
        return reconciled(rows, "zero-padded", seed=seed)

    assert all(np.array_equal(*pair) for pair in zip(total(1), total(1), strict=True))
    assert not all(np.array_equal(*pair) for seed in range(5) for pair in zip(total(seed), total(9), strict=True))


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    reconciled(two_widths(-1, (1, 3)), "shared")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("whole_network", "share"), [(False, 0.5), (True, 0.0)])
def test_the_share_of_conflicts_is_counted_over_pairs_of_each_tensor(whole_network: bool, share: float) -> None:
    whole: tuple[Region, ...] = ((), ())
    rows = rows_with([(2,), (2,)], [whole, whole], seed=0)
    rows.tensors[0].rows.copy_(torch.tensor([[1.0, 0], [-1, 0]]))
    rows.tensors[1].rows.copy_(torch.tensor([[3.0, 0], [3, 0]]))
    assert share_of_conflicts(rows, "shared", whole_network=whole_network) == share


def test_a_gradient_of_zeros_is_no_conflict() -> None:
    rows = two_widths(0, (1, 3))
    assert share_of_conflicts(rows, "shared") == 0
    np.testing.assert_allclose(rows.tensors[0].total, [[1, 3]])


@pytest.mark.parametrize("extent", ["zero-padded", "shared"])
@pytest.mark.parametrize("seed", range(1, 9))
def test_where_all_widths_own_everything_it_is_the_pcgrad_of_torchjd(extent: Extent, seed: int) -> None:
    aggregation = pytest.importorskip("torchjd.aggregation", reason="an oracle of the development extra")
    rows = rows_with([(4, 3, 2)], [((),) * 4], seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # it draws its order from the global generator
        expected = aggregation.PCGrad()(rows.tensors[0].rows.flatten(1).double())
    assert reconciled(rows, extent, seed=seed)[0] == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-6)
    assert share_of_conflicts(rows, extent) > 0
