"""The gradients of all sub-models, side by side in one buffer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.slimmable import Region


@dataclass(frozen=True)
class SharedTensor:
    """One parameter that several widths share."""

    parameter: nn.Parameter
    rows: Tensor
    """``[K, *shape]``: the gradient of each width, views into the buffer."""
    total: Tensor
    """``[*shape]``: what the optimiser sees, a view."""
    regions: tuple[Region, ...]
    """What each of the K widths owns of it, nested in ascending order."""


class GradientRows:
    """One preallocated ``[K, P]`` buffer; row k is the ``.grad`` of the backward pass of width k, without a copy.

    Args:
        parameters: the shared parameters by name.
        owned: for each of the K widths (ascending), the region that it owns of every shared parameter.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], owned: list[dict[str, Region]]) -> None:
        size = sum(parameter.numel() for parameter in parameters.values())
        like = next(iter(parameters.values()))
        self.buffer = torch.zeros(len(owned), size, device=like.device)
        self._total = torch.zeros(size, device=like.device)
        self.tensors: list[SharedTensor] = []
        start = 0
        for name, parameter in parameters.items():
            span = slice(start, start + parameter.numel())
            rows = self.buffer[:, span].view(len(owned), *parameter.shape)
            total = self._total[span].view(parameter.shape)
            self.tensors.append(SharedTensor(parameter, rows, total, tuple(o[name] for o in owned)))
            start += parameter.numel()

    @contextmanager
    def collecting(self, row: int) -> Iterator[None]:
        """Backward passes inside this context add into one row, which starts at zero."""
        self.buffer[row].zero_()
        for tensor in self.tensors:
            tensor.parameter.grad = tensor.rows[row]
        yield

    def hand_over(self) -> None:
        """Gives the combined gradient to the optimiser."""
        for tensor in self.tensors:
            tensor.parameter.grad = tensor.total
