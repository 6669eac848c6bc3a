"""How many zeros go around an image before a window slides over it."""

from collections.abc import Sequence

from torch import Tensor

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.mil_executor.arguments import integers


def padding(x: Tensor, window: Sequence[int], strides: Sequence[int], pad_type: str, pad: Tensor | None) -> list[int]:
    """Padding in the order of `torch.nn.functional.pad`: before and after, the last dimension first.

    Args:
        x: [N, C, ...].
        window: extent over each spatial dimension.
        strides: over each spatial dimension.
        pad_type: `valid`, `same`, `same_lower`, or `custom`.
        pad: before and after each spatial dimension, the first dimension first; for `custom` only.
    """
    match pad_type:
        case "valid":
            pairs = [(0, 0) for _ in window]
        case "custom":
            numbers = [0, 0] * len(window) if pad is None else integers(pad)
            pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        case "same" | "same_lower":
            sizes = zip(x.shape[2:], window, strides, strict=True)
            pairs = [_same(*size, lower=pad_type == "same_lower") for size in sizes]
        case _:
            raise SfscError(f"The padding {pad_type!r} is unknown.")
    return [number for pair in reversed(pairs) for number in pair]


def symmetric(edges: Sequence[int]) -> list[int]:
    """The padding of each spatial dimension, where it is the same before and after: `ceil_mode` demands that."""
    return list(edges[-2::-2])


def _same(length: int, window: int, stride: int, *, lower: bool) -> tuple[int, int]:
    """Padding after which ceil(length / stride) windows fit; of an odd number the larger half goes after, or before."""
    windows = -(-length // stride)
    total = max((windows - 1) * stride + window - length, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)
