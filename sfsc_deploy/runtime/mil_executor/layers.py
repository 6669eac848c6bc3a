"""Convolution, pooling and normalisation."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sfsc_deploy.runtime.mil_executor.arguments import axes_of, integers
from sfsc_deploy.runtime.mil_executor.padding import padding, symmetric
from sfsc_deploy.runtime.mil_executor.registry import operation

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_FALSE = torch.tensor(False)


@operation("conv")
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Tensor | None = None,
    pad_type: str = "valid",
    pad: Tensor | None = None,
    dilations: Tensor | None = None,
    groups: Tensor | None = None,
) -> Tensor:
    """`x` [N, C, ...] with `weight` [O, C / groups, ...], over one to three spatial dimensions."""
    spatial = x.ndim - 2
    step, spread = _each(strides, spatial), _each(dilations, spatial)
    extent = [(size - 1) * by + 1 for size, by in zip(weight.shape[2:], spread, strict=True)]
    padded = F.pad(x, padding(x, extent, step, pad_type, pad))
    groups_of = 1 if groups is None else int(groups)
    return _CONVOLUTIONS[spatial](padded, weight, bias, step, 0, spread, groups_of)


@operation("max_pool")
def max_pool(
    x: Tensor,
    kernel_sizes: Tensor,
    pad_type: str,
    strides: Tensor | None = None,
    pad: Tensor | None = None,
    ceil_mode: Tensor = _FALSE,
) -> Tensor:
    """The largest number in each window; padding never wins."""
    spatial = x.ndim - 2
    window, step = integers(kernel_sizes), _each(strides, spatial)
    pool, edges = _MAX_POOLS[spatial], padding(x, window, step, pad_type, pad)
    if bool(ceil_mode):
        return pool(x, window, step, symmetric(edges), ceil_mode=True)
    return pool(F.pad(x, edges, value=float("-inf")), window, step)


@operation("avg_pool")
def avg_pool(
    x: Tensor,
    kernel_sizes: Tensor,
    pad_type: str,
    strides: Tensor | None = None,
    pad: Tensor | None = None,
    exclude_padding_from_average: Tensor = _FALSE,
    ceil_mode: Tensor = _FALSE,
) -> Tensor:
    """The mean of each window, where padding counts as zeros or not at all."""
    spatial = x.ndim - 2
    window, step = integers(kernel_sizes), _each(strides, spatial)
    pool, edges = _AVERAGE_POOLS[spatial], padding(x, window, step, pad_type, pad)
    if bool(ceil_mode):
        return pool(x, window, step, symmetric(edges), True, not bool(exclude_padding_from_average))
    mean = pool(F.pad(x, edges), window, step)
    share = pool(F.pad(torch.ones_like(x), edges), window, step)
    return mean / share if bool(exclude_padding_from_average) else mean


@operation("batch_norm")
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | None = None,
) -> Tensor:
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta`, each [C], for `x` [N, C, ...]."""
    return F.batch_norm(x, mean, variance, gamma, beta, eps=1e-5 if epsilon is None else float(epsilon))


@operation("layer_norm")
def layer_norm(
    x: Tensor,
    axes: Tensor | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | None = None,
) -> Tensor:
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta`, with the mean and variance of `x` over `axes`."""
    over = axes_of(x, axes)
    shape = [length if axis in over else 1 for axis, length in enumerate(x.shape)]
    deviation = x - x.mean(over, keepdim=True)
    variance = deviation.square().mean(over, keepdim=True)
    normal = deviation / torch.sqrt(variance + (1e-5 if epsilon is None else epsilon))
    scaled = normal if gamma is None else normal * gamma.reshape(shape)
    return scaled if beta is None else scaled + beta.reshape(shape)


def _each(value: Tensor | None, spatial: int) -> list[int]:
    """One number for each spatial dimension: 1 where none is given."""
    return [1] * spatial if value is None else integers(value)
