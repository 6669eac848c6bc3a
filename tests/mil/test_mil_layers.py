"""Convolution, pooling, normalisation, matrix products and reductions of the reference executor, against torch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

pytest.importorskip("coremltools", reason="coremltools builds MIL programs; it has no wheel for this machine")

from mil_programs import executed, numbers
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.mil_executor.padding import padding

IMAGE = numbers(1, 4, 9, 7)
WEIGHT, BIAS = numbers(6, 4, 3, 3, seed=1), numbers(6, seed=2)
PER_CHANNEL = [numbers(4, seed=seed, low=0.5) for seed in range(4)]
Case = tuple[Callable[[Any, Any], Any], Callable[[Tensor], Tensor]]


def check(case: Case, array: np.ndarray) -> None:
    from coremltools.converters.mil.mil import Builder

    build, expected = case
    (found,) = executed(lambda x: build(Builder, x), array)
    wanted = expected(torch.tensor(array))
    assert found.shape == tuple(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


CONVOLUTIONS: dict[str, Case] = {
    "plain": (lambda mb, x: mb.conv(x=x, weight=WEIGHT), lambda x: F.conv2d(x, torch.tensor(WEIGHT))),
    "strided and padded": (
        lambda mb, x: mb.conv(x=x, weight=WEIGHT, bias=BIAS, strides=[2, 1], pad_type="custom", pad=[1, 1, 2, 2]),
        lambda x: F.conv2d(x, torch.tensor(WEIGHT), torch.tensor(BIAS), (2, 1), (1, 2)),
    ),
    "padded on one side": (
        lambda mb, x: mb.conv(x=x, weight=WEIGHT, pad_type="custom", pad=[0, 1, 2, 3]),
        lambda x: F.conv2d(F.pad(x, (2, 3, 0, 1)), torch.tensor(WEIGHT)),
    ),
    "dilated": (
        lambda mb, x: mb.conv(x=x, weight=WEIGHT, dilations=[2, 3]),
        lambda x: F.conv2d(x, torch.tensor(WEIGHT), dilation=(2, 3)),
    ),
    "in groups": (
        lambda mb, x: mb.conv(x=x, weight=WEIGHT[:, :2], groups=2),
        lambda x: F.conv2d(x, torch.tensor(WEIGHT[:, :2]), groups=2),
    ),
    "same": (
        lambda mb, x: mb.conv(x=x, weight=WEIGHT, pad_type="same"),
        lambda x: F.conv2d(x, torch.tensor(WEIGHT), padding="same"),
    ),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution(case: str) -> None:
    check(CONVOLUTIONS[case], IMAGE)


def test_convolution_of_a_sequence() -> None:
    line, weight = numbers(1, 4, 9), numbers(5, 4, 3, seed=4)
    check(
        (
            lambda mb, x: mb.conv(x=x, weight=weight, pad_type="custom", pad=[1, 2], strides=[2]),
            lambda x: F.conv1d(F.pad(x, (1, 2)), torch.tensor(weight), stride=2),
        ),
        line,
    )


@pytest.mark.parametrize("length", [7, 8, 9])
@pytest.mark.parametrize("window", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kind", ["same", "same_lower"])
def test_same_padding_leaves_length_over_stride(length: int, window: int, stride: int, kind: str) -> None:
    after, before = (lambda edges: (edges[1], edges[0]))(
        padding(torch.zeros(1, 1, length), [window], [stride], kind, None)
    )
    assert (length + before + after - window) // stride + 1 == -(-length // stride)
    assert (before - after if kind == "same_lower" else after - before) in (0, 1)


POOLS: dict[str, Case] = {
    "max": (
        lambda mb, x: mb.max_pool(x=x, kernel_sizes=[3, 2], strides=[2, 2], pad_type="valid"),
        lambda x: F.max_pool2d(x, (3, 2), 2),
    ),
    "max, padded": (
        lambda mb, x: mb.max_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
        lambda x: F.max_pool2d(x, 3, 2, 1),
    ),
    "max, ceil": (
        lambda mb, x: mb.max_pool(
            x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="custom", pad=[0, 0, 0, 0], ceil_mode=True
        ),
        lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
    ),
    "average": (
        lambda mb, x: mb.avg_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
        lambda x: F.avg_pool2d(x, 3, 2, 1),
    ),
    "average without padding": (
        lambda mb, x: mb.avg_pool(
            x=x,
            kernel_sizes=[3, 3],
            strides=[2, 2],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            exclude_padding_from_average=True,
        ),
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    ),
    "average, ceil": (
        lambda mb, x: mb.avg_pool(
            x=x,
            kernel_sizes=[2, 2],
            strides=[2, 2],
            pad_type="custom",
            pad=[0, 0, 1, 1],
            exclude_padding_from_average=True,
            ceil_mode=True,
        ),
        lambda x: F.avg_pool2d(x, 2, 2, (0, 1), True, False),
    ),
}


@pytest.mark.parametrize("case", POOLS)
def test_pooling(case: str) -> None:
    check(POOLS[case], IMAGE)


def test_padding_never_wins_a_maximum() -> None:
    check(POOLS["max, padded"], -1 - np.abs(IMAGE))


def _batch_norm(x: Tensor) -> Tensor:
    mean, variance, gamma, beta = (torch.tensor(values)[:, None, None] for values in PER_CHANNEL)
    return gamma * (x - mean) / (variance + 0.01).sqrt() + beta


BY_CHANNEL: dict[str, Case] = {
    "batch norm": (
        lambda mb, x: mb.batch_norm(
            x=x, **dict(zip(("mean", "variance", "gamma", "beta"), PER_CHANNEL, strict=True)), epsilon=0.01
        ),
        _batch_norm,
    ),
    "batch norm, plain": (
        lambda mb, x: mb.batch_norm(x=x, mean=PER_CHANNEL[0], variance=PER_CHANNEL[1]),
        lambda x: F.batch_norm(x, torch.tensor(PER_CHANNEL[0]), torch.tensor(PER_CHANNEL[1])),
    ),
    "prelu": (
        lambda mb, x: mb.prelu(x=x, alpha=PER_CHANNEL[0]),
        lambda x: torch.where(x > 0, x, x * torch.tensor(PER_CHANNEL[0])[:, None, None]),
    ),
    "layer norm": (
        lambda mb, x: mb.layer_norm(
            x=x, axes=[2, 3], gamma=numbers(9, 7, seed=5), beta=numbers(9, 7, seed=6), epsilon=0.1
        ),
        lambda x: F.layer_norm(
            x, (9, 7), torch.tensor(numbers(9, 7, seed=5)), torch.tensor(numbers(9, 7, seed=6)), eps=0.1
        ),
    ),
    "layer norm over channels": (
        lambda mb, x: mb.layer_norm(x=x, axes=[1], gamma=PER_CHANNEL[2]),
        lambda x: F.layer_norm(x.movedim(1, -1), (4,), torch.tensor(PER_CHANNEL[2])).movedim(-1, 1),
    ),
}


@pytest.mark.parametrize("case", BY_CHANNEL)
def test_what_differs_by_channel(case: str) -> None:
    check(BY_CHANNEL[case], IMAGE)


REDUCTIONS: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "reduce_sum": lambda x, dims: x.sum(dims),
    "reduce_mean": lambda x, dims: x.mean(dims),
    "reduce_max": lambda x, dims: x.amax(dims),
    "reduce_min": lambda x, dims: x.amin(dims),
    "reduce_l1_norm": lambda x, dims: x.abs().sum(dims),
    "reduce_l2_norm": lambda x, dims: x.square().sum(dims).sqrt(),
    "reduce_sum_square": lambda x, dims: x.square().sum(dims),
    "reduce_log_sum": lambda x, dims: x.sum(dims).log(),
    "reduce_log_sum_exp": lambda x, dims: x.exp().sum(dims).log(),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axes", [[-1], [2, 3], [1, -1]])
def test_reduction(name: str, axes: list[int]) -> None:
    positive = np.abs(IMAGE)
    expected = REDUCTIONS[name]
    check((lambda mb, x: getattr(mb, name)(x=x, axes=axes), lambda x: expected(x, axes)), positive)


def test_reduction_of_everything_keeping_the_axes() -> None:
    check((lambda mb, x: mb.reduce_mean(x=x, keep_dims=True), lambda x: x.mean().reshape(1, 1, 1, 1)), IMAGE)


def test_where_the_maximum_is() -> None:
    check((lambda mb, x: mb.reduce_argmax(x=x, axis=2), lambda x: x.argmax(2)), IMAGE)


MATRICES: dict[str, Case] = {
    "linear": (
        lambda mb, x: mb.linear(x=x, weight=numbers(5, 7, seed=7), bias=numbers(5, seed=8)),
        lambda x: x @ torch.tensor(numbers(5, 7, seed=7)).T + torch.tensor(numbers(5, seed=8)),
    ),
    "matmul": (
        lambda mb, x: mb.matmul(x=x, y=numbers(4, 7, 3, seed=9)),
        lambda x: x @ torch.tensor(numbers(4, 7, 3, seed=9)),
    ),
    "matmul, turned": (
        lambda mb, x: mb.matmul(x=x, y=numbers(4, 3, 9, seed=9), transpose_x=True, transpose_y=True),
        lambda x: x.mT @ torch.tensor(numbers(4, 3, 9, seed=9)).mT,
    ),
    "einsum": (
        lambda mb, x: mb.einsum(values=(x, numbers(1, 7, 9, 5, seed=9)), equation="nchw,nwhu->nchu"),
        lambda x: (x[..., None] * torch.tensor(numbers(1, 7, 9, 5, seed=9)).permute(0, 2, 1, 3)[:, None]).sum(-2),
    ),
}


@pytest.mark.parametrize("case", MATRICES)
def test_matrix_product(case: str) -> None:
    check(MATRICES[case], IMAGE)


@pytest.mark.parametrize("mask", ["none", "numbers", "truth"])
def test_attention(mask: str) -> None:
    from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 - as coremltools calls it

    query, key, value = numbers(1, 2, 5, 4), numbers(1, 2, 6, 4, seed=1), numbers(1, 2, 6, 3, seed=2)
    weights = torch.tensor(query) @ torch.tensor(key).mT / 2
    chosen = numbers(5, 6, seed=3)
    chosen[:, 0] = 1  # every query may look at something
    given = {"none": {}, "numbers": {"attn_mask": chosen}, "truth": {"attn_mask": chosen > 0}}[mask]
    if mask == "numbers":
        weights = weights + torch.tensor(chosen)
    if mask == "truth":
        weights = weights.masked_fill(torch.tensor(chosen <= 0), -torch.inf)
    (found,) = executed(
        lambda q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v, **given),
        query,
        key,
        value,
        opset="iOS18",
    )
    np.testing.assert_allclose(found, weights.softmax(-1) @ torch.tensor(value), rtol=1e-5, atol=1e-6)


def test_unknown_padding_is_named() -> None:
    with pytest.raises(SfscError, match="'sideways'"):
        padding(torch.zeros(1, 1, 3), [1], [1], "sideways", None)
