"""Compressed weights: integers with scales, tables that are looked up, and the numbers of a sparse tensor."""

import torch
from torch import Tensor

from sfsc_deploy.runtime.mil_executor.arguments import integers
from sfsc_deploy.runtime.mil_executor.registry import operation


@operation("constexpr_cast")
def constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    """`source_val` itself: the executor gives every result the type that the program declares."""
    del output_dtype
    return source_val


@operation("constexpr_affine_dequantize")
def constexpr_affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: Tensor) -> Tensor:
    """`scale (quantized_data - zero_point)`, both for the whole tensor or for each index of `axis`."""
    shape = [1] * quantized_data.ndim
    shape[int(axis)] = -1
    offset, factor = (each.float().reshape(shape if each.ndim else ()) for each in (zero_point, scale))
    return factor * (quantized_data.float() - offset)


@operation("constexpr_blockwise_shift_scale")
def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """`scale (data - offset)`, where each number of `scale` and `offset` holds for a block of `data`."""
    shifted = data.float() if offset is None else data.float() - _spread(offset.float(), data.shape)
    return _spread(scale, data.shape) * shifted


@operation("constexpr_lut_to_dense")
def constexpr_lut_to_dense(
    indices: Tensor, lut: Tensor, shape: Tensor | None = None, vector_axis: Tensor | None = None
) -> Tensor:
    """Numbers of a table in place of their indices.

    Before iOS 18 the indices are packed into bytes and one table [P] serves the whole tensor, which `shape` tells. From
    iOS 18 on there may be a table for each block, and vectors in it: `lut` [blocks..., P, V].
    """
    if shape is not None:
        lengths = integers(shape)
        return lut[_unpacked(indices, lut.numel().bit_length() - 1, lengths)]
    numbers = _looked_up(indices.long(), lut)
    if vector_axis is None:
        return numbers.squeeze(-1)
    along = int(vector_axis) % indices.ndim
    return numbers.movedim(-1, along + 1).flatten(along, along + 1)


@operation("constexpr_sparse_to_dense")
def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: Tensor | None = None) -> Tensor:
    """Zeros, but for the numbers where `mask` says so; before iOS 18 it is packed into bytes."""
    chosen = mask if shape is None else _unpacked(mask, 1, integers(shape))
    dense = torch.zeros(chosen.shape, dtype=nonzero_data.dtype)
    dense[chosen != 0] = nonzero_data
    return dense


def _spread(blocks: Tensor, shape: torch.Size) -> Tensor:
    """Repeat each number of `blocks` over its block of a tensor of `shape`."""
    for axis, length in enumerate(shape):
        blocks = blocks.repeat_interleave(length // blocks.shape[axis], axis)
    return blocks


def _looked_up(indices: Tensor, lut: Tensor) -> Tensor:
    """For each index the vector that its block's table has there: [..., V]."""
    table = lut
    for axis, length in enumerate(indices.shape):
        table = table.repeat_interleave(length // lut.shape[axis], axis)
    chosen = indices[..., None, None].expand(*indices.shape, 1, lut.shape[-1])
    return table.gather(-2, chosen).squeeze(-2)


def _unpacked(packed: Tensor, bits: int, shape: list[int]) -> Tensor:
    """Numbers of so many bits each, the lowest bit of the first byte first."""
    places = torch.arange(8, dtype=torch.int64)
    stream = (packed.long()[:, None] >> places & 1).reshape(-1)
    numbers = stream[: bits * torch.Size(shape).numel()].reshape(-1, bits)
    return (numbers << torch.arange(bits)).sum(1).reshape(shape)
