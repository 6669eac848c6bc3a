"""Arguments of operations as Python's own types."""

from torch import Tensor


def integers(value: Tensor) -> list[int]:
    """A list of numbers, or a single one."""
    return [int(number) for number in value.reshape(-1).tolist()]


def axes_of(x: Tensor, axes: Tensor | None) -> list[int]:
    """The axes of `x` that are meant, from 0 on; all of them where none is given."""
    return list(range(x.ndim)) if axes is None else [axis % x.ndim for axis in integers(axes)]
