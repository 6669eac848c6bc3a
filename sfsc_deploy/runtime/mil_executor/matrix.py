"""Products of matrices."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sfsc_deploy.runtime.mil_executor.registry import operation


@operation("linear")
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x` [..., I] times the transpose of `weight` [O, I], plus `bias` [O]."""
    return F.linear(x, weight, bias)


@operation("matmul")
def matmul(x: Tensor, y: Tensor, transpose_x: Tensor | None = None, transpose_y: Tensor | None = None) -> Tensor:
    """The product of two matrices or of two stacks of them, either turned over before."""
    return torch.matmul(_turned(x, transpose_x), _turned(y, transpose_y))


@operation("einsum")
def einsum(values: list[Tensor], equation: str) -> Tensor:
    """A product of tensors in Einstein's notation."""
    return torch.einsum(equation, *values)


def _turned(matrix: Tensor, turn: Tensor | None) -> Tensor:
    return matrix.transpose(-1, -2) if turn is not None and bool(turn) else matrix
