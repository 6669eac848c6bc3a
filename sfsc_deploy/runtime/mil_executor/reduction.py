"""Operations that make one number of many."""

from collections.abc import Callable

import torch
from torch import Tensor

from sfsc_deploy.runtime.mil_executor.arguments import axes_of
from sfsc_deploy.runtime.mil_executor.registry import operation

_Reduction = Callable[[Tensor, list[int]], Tensor]

# Each keeps the axes that it reduces, with length 1.
_REDUCTIONS: dict[str, _Reduction] = {
    "reduce_sum": lambda x, axes: x.sum(axes, keepdim=True),
    "reduce_mean": lambda x, axes: x.mean(axes, keepdim=True),
    "reduce_max": lambda x, axes: x.amax(axes, keepdim=True),
    "reduce_min": lambda x, axes: x.amin(axes, keepdim=True),
    "reduce_l1_norm": lambda x, axes: x.abs().sum(axes, keepdim=True),
    "reduce_l2_norm": lambda x, axes: torch.linalg.vector_norm(x, dim=axes, keepdim=True),
    "reduce_sum_square": lambda x, axes: x.square().sum(axes, keepdim=True),
    "reduce_log_sum": lambda x, axes: x.sum(axes, keepdim=True).log(),
    "reduce_log_sum_exp": lambda x, axes: torch.logsumexp(x, axes, keepdim=True),
}


def _enter(name: str, reduction: _Reduction) -> None:
    @operation(name)
    def reduce(x: Tensor, axes: Tensor | None = None, keep_dims: Tensor | None = None) -> Tensor:
        reduced = axes_of(x, axes)
        result = reduction(x, reduced)
        return result if keep_dims is not None and bool(keep_dims) else result.squeeze(reduced)


for _name, _reduction in _REDUCTIONS.items():
    _enter(_name, _reduction)


@operation("reduce_argmax")
def reduce_argmax(x: Tensor, axis: Tensor | None = None, keep_dims: Tensor | None = None) -> Tensor:
    """Where along an axis (the last) the largest number is."""
    return x.argmax(-1 if axis is None else int(axis), keepdim=keep_dims is not None and bool(keep_dims))
