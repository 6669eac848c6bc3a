"""Operations that move, repeat and choose numbers, but calculate nothing."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sfsc_deploy.runtime.mil_executor.arguments import axes_of, integers
from sfsc_deploy.runtime.mil_executor.registry import operation


@operation("reshape")
def reshape(x: Tensor, shape: Tensor) -> Tensor:
    """Another shape, in which -1 follows from the rest and 0 is the length that `x` has there."""
    lengths = [length or x.shape[axis] for axis, length in enumerate(integers(shape))]
    return x.reshape(lengths)


@operation("expand_dims")
def expand_dims(x: Tensor, axes: Tensor) -> Tensor:
    """New axes of length 1, counted as they are in the result."""
    rank = x.ndim + axes.numel()
    for axis in sorted(axis % rank for axis in integers(axes)):
        x = x.unsqueeze(axis)
    return x


@operation("squeeze")
def squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Without axes of length 1: those given, or all."""
    return x.squeeze(axes_of(x, axes))


@operation("transpose")
def transpose(x: Tensor, perm: Tensor) -> Tensor:
    """The axes in another order."""
    return x.permute(integers(perm))


@operation("concat")
def concat(values: list[Tensor], axis: Tensor, interleave: Tensor | None = None) -> Tensor:
    """One after the other along `axis`, or the first slices of all, then the second."""
    along = int(axis) % values[0].ndim
    if interleave is not None and bool(interleave):
        return torch.stack(values, along + 1).flatten(along, along + 1)
    return torch.cat(values, along)


@operation("stack")
def stack(values: list[Tensor], axis: Tensor) -> Tensor:
    """One after the other along a new axis."""
    return torch.stack(values, int(axis))


@operation("split")
def split(
    x: Tensor, axis: Tensor, num_splits: Tensor | None = None, split_sizes: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Parts along `axis`: of given sizes, or so many equal ones."""
    along = int(axis)
    if split_sizes is not None:
        return torch.split(x, integers(split_sizes), along)
    assert num_splits is not None
    return torch.split(x, x.shape[along] // int(num_splits), along)


@operation("slice_by_index")
def slice_by_index(
    x: Tensor,
    begin: Tensor,
    end: Tensor,
    stride: Tensor | None = None,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
) -> Tensor:
    """`x[begin:end:stride]` along every axis; masked ends are open, masked axes are taken at `begin` and vanish."""
    firsts, lasts = integers(begin), integers(end)
    steps = [1] * x.ndim if stride is None else integers(stride)
    open_begin, open_end, single = (_mask(mask, x.ndim) for mask in (begin_mask, end_mask, squeeze_mask))
    array = x.numpy()  # torch knows no negative steps
    index = tuple(
        firsts[axis]
        if single[axis]
        else slice(
            None if open_begin[axis] else firsts[axis],
            None if open_end[axis] else lasts[axis],
            steps[axis],
        )
        for axis in range(x.ndim)
    )
    return torch.from_numpy(array[index].copy())


@operation("slice_by_size")
def slice_by_size(x: Tensor, begin: Tensor, size: Tensor) -> Tensor:
    """`size` numbers from `begin` on along every axis; -1 for all that remain."""
    for axis, (first, length) in enumerate(zip(integers(begin), integers(size), strict=True)):
        start = first % x.shape[axis]
        x = x.narrow(axis, start, x.shape[axis] - start if length == -1 else length)
    return x


@operation("tile")
def tile(x: Tensor, reps: Tensor) -> Tensor:
    """Repeated so many times along every axis."""
    return x.tile(integers(reps))


@operation("gather")
def gather(
    x: Tensor,
    indices: Tensor,
    axis: Tensor | None = None,
    batch_dims: Tensor | None = None,
    validate_indices: Tensor | None = None,
) -> Tensor:
    """The slices of `x` along `axis` at `indices` of any shape, from the end where they are negative."""
    del validate_indices  # torch always checks them
    if batch_dims is not None and int(batch_dims):
        raise NotImplementedError("batch_dims other than 0")
    along = 0 if axis is None else int(axis) % x.ndim
    chosen = x.index_select(along, indices.reshape(-1).long() % x.shape[along])
    return chosen.reshape(*x.shape[:along], *indices.shape, *x.shape[along + 1 :])


@operation("pad")
def pad(x: Tensor, pad: Tensor, mode: str = "constant", constant_val: Tensor | None = None) -> Tensor:
    """More numbers around the last axes: `pad` before and after each of them, the first of them first."""
    numbers = integers(pad)
    edges = [number for axis in range(len(numbers) - 2, -1, -2) for number in numbers[axis : axis + 2]]
    value = 0.0 if constant_val is None else float(constant_val)
    return F.pad(x, edges, mode, value if mode == "constant" else None)


@operation("shape")
def shape(x: Tensor) -> Tensor:
    """The lengths of the axes."""
    return torch.tensor(x.shape, dtype=torch.int32)


@operation("fill")
def fill(shape: Tensor, value: Tensor | None = None) -> Tensor:
    """One number throughout."""
    return torch.zeros(integers(shape)) if value is None else value.expand(integers(shape))


def _mask(mask: Tensor | None, rank: int) -> list[bool]:
    return [False] * rank if mask is None else [bool(bit) for bit in mask.tolist()]
