"""Layers of which every width keeps the leading channels (slimmable networks, arXiv 1812.08928).

A layer is switched to a width by its ``width`` attribute; ``Supernet`` switches all of its layers at once, so
that the architectures read like ordinary ones.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Region = tuple[slice, ...]
"""The leading part of a tensor that a width owns: one slice for each dimension that is slimmed."""


def channels(full: int, width: float) -> int:
    """How many of ``full`` channels a width multiplier keeps (rounded half up, the same on every platform)."""
    return math.floor(full * width + 0.5)


class Slimmable(nn.Module, ABC):
    """A layer that computes with the leading channels of its ``width``."""

    width: float = 1.0

    @abstractmethod
    def plain(self, width: float) -> nn.Module:
        """What this layer is at a width, as an ordinary layer with weights of its own."""

    def owned(self, width: float) -> dict[str, Region]:
        """The leading region of each parameter that a width computes with, by the parameter's name.

        Parameters that only one width has (its norms) don't appear: nothing can conflict over them.
        """
        del width
        return {}

    @abstractmethod
    def slimmed_channels(self) -> int | None:
        """The full number of output channels that widths divide, or None where the output is not slimmed."""


class SlimmableConv2d(nn.Conv2d, Slimmable):
    """A convolution whose input and output channels follow the width.

    Args:
        in_channels: full number of input channels.
        out_channels: full number of output channels.
        kernel_size: side of the square kernel.
        stride: step of the kernel.
        slim_in: False for the first layer, whose input is the image.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, slim_in: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
        self.slim_in = slim_in

    def _shape(self, width: float) -> tuple[int, int]:
        inputs = channels(self.in_channels, width) if self.slim_in else self.in_channels
        return channels(self.out_channels, width), inputs

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Conv2d gives it
        """``[N, in(width), H, W]`` to ``[N, out(width), H', W']``."""
        outputs, inputs = self._shape(self.width)
        return F.conv2d(input, self.weight[:outputs, :inputs], None, self.stride, self.padding)

    def plain(self, width: float) -> nn.Module:
        """An ``nn.Conv2d`` with a copy of the leading weights."""
        outputs, inputs = self._shape(width)
        layer = nn.Conv2d(inputs, outputs, self.kernel_size[0], self.stride[0], self.kernel_size[0] // 2, bias=False)
        return _with_weight(layer, self.weight[:outputs, :inputs])

    def owned(self, width: float) -> dict[str, Region]:
        """The leading output and input channels."""
        outputs, inputs = self._shape(width)
        return {"weight": (slice(outputs), slice(inputs))}

    def slimmed_channels(self) -> int | None:
        """The full number of output channels."""
        return self.out_channels


class SlimmableLinear(nn.Linear, Slimmable):
    """The head: a linear layer whose input follows the width and whose output never does."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """``[N, in(width)]`` to ``[N, out]``."""
        return F.linear(input, self.weight[:, : channels(self.in_features, self.width)])

    def plain(self, width: float) -> nn.Module:
        """An ``nn.Linear`` with a copy of the leading weights."""
        inputs = channels(self.in_features, width)
        return _with_weight(nn.Linear(inputs, self.out_features, bias=False), self.weight[:, :inputs])

    def owned(self, width: float) -> dict[str, Region]:
        """All outputs of the leading inputs."""
        return {"weight": (slice(None), slice(channels(self.in_features, width)))}

    def slimmed_channels(self) -> int | None:
        """None: the embedding has the same dimension at every width."""
        return None


def _with_weight(layer: nn.Conv2d | nn.Linear, weight: Tensor) -> nn.Module:
    layer = layer.to(weight)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer
