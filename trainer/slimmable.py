"""Layers of which every width keeps the leading channels (slimmable networks, arXiv 1812.08928).

A layer is switched to a width by its ``width`` attribute; ``Supernet`` switches all of its layers at once, so
that the architectures read like ordinary ones.
"""

import math
from abc import ABC, abstractmethod
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Region = tuple[slice, ...]
"""The leading part of a tensor that a width owns: one slice for each dimension that is slimmed."""

# Widths are written with two decimals or more: 0.33 means a third of 12 heads.
_ROUNDING = 0.06


def channels(full: int, width: float, heads: int | None = None) -> int:
    """How many of ``full`` channels a width multiplier keeps (rounded half up, the same on every platform).

    Args:
        full: number of channels at width 1.
        width: the multiplier.
        heads: into how many attention heads the channels fall: whole ones are kept. None: each channel stands alone.
    """
    units = heads or full
    return full // units * math.floor(units * width + 0.5)


def keeps_whole_heads(width: float, heads: int) -> bool:
    """Whether a width multiplier means a whole number of attention heads."""
    return abs(heads * width - round(heads * width)) <= _ROUNDING


def widths_of_whole_heads(heads: int) -> tuple[str, ...]:
    """All widths that do, as they are written, ascending."""
    return tuple(f"{number / heads:.3g}" for number in range(1, heads + 1))


class Slimmable(nn.Module, ABC):
    """A layer that computes with the leading channels of its ``width``."""

    width: float = 1.0
    heads: int | None = None
    """Into how many attention heads its channels fall; None where each channel stands alone."""

    @abstractmethod
    def plain(self, width: float) -> nn.Module:
        """What this layer is at a width, as an ordinary layer with weights of its own."""

    def owned(self, width: float) -> dict[str, Region]:
        """The leading region of each parameter that a width computes with, by the parameter's name.

        Parameters that only one width has (its norms, its own head) don't appear: nothing can conflict over them.
        """
        del width
        return {}

    @abstractmethod
    def slimmed_channels(self) -> int | None:
        """The full number of output channels that widths divide, or None where the output is not slimmed."""

    def _kept(self, full: int, width: float) -> int:
        return channels(full, width, self.heads)


class SlimmableConv2d(nn.Conv2d, Slimmable):
    """A convolution whose input and output channels follow the width.

    Args:
        in_channels: full number of input channels.
        out_channels: full number of output channels.
        kernel_size: side of the square kernel.
        stride: step of the kernel.
        padding: pixels added on each side; None: as many as keep the size at stride 1.
        bias: whether one is added.
        slim_in: False for the first layer, whose input is the image.
        heads: see ``Slimmable``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = False,
        slim_in: bool = True,
        heads: int | None = None,
    ) -> None:
        padding = kernel_size // 2 if padding is None else padding
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=bias)
        self.slim_in = slim_in
        self.heads = heads

    def _shape(self, width: float) -> tuple[int, int]:
        inputs = self._kept(self.in_channels, width) if self.slim_in else self.in_channels
        return self._kept(self.out_channels, width), inputs

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Conv2d gives it
        """``[N, in(width), H, W]`` to ``[N, out(width), H', W']``."""
        outputs, inputs = self._shape(self.width)
        bias = None if self.bias is None else self.bias[:outputs]
        return F.conv2d(input, self.weight[:outputs, :inputs], bias, self.stride, self.padding)

    def plain(self, width: float) -> nn.Module:
        """An ``nn.Conv2d`` with a copy of the leading weights."""
        outputs, inputs = self._shape(width)
        layer = nn.Conv2d(
            inputs, outputs, self.kernel_size[0], self.stride[0], int(self.padding[0]), bias=self.bias is not None
        )
        return with_leading(layer, self)

    def owned(self, width: float) -> dict[str, Region]:
        """The leading output and input channels."""
        outputs, inputs = self._shape(width)
        return {"weight": (slice(outputs), slice(inputs)), **_owned_bias(self, outputs)}

    def slimmed_channels(self) -> int | None:
        """The full number of output channels."""
        return self.out_channels


class SlimmableDepthwise(nn.Conv2d, Slimmable):
    """A depthwise convolution: every channel has a kernel of its own, so a width has as many groups as channels.

    Args:
        full: number of channels at width 1.
        kernel_size: side of the square kernel.
        stride: step of the kernel.
    """

    def __init__(self, full: int, kernel_size: int, *, stride: int = 1) -> None:
        super().__init__(full, full, kernel_size, stride, kernel_size // 2, groups=full, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Conv2d gives it
        """``[N, C(width), H, W]`` to ``[N, C(width), H', W']``."""
        kept = self._kept(self.out_channels, self.width)
        return F.conv2d(input, self.weight[:kept], None, self.stride, self.padding, groups=kept)

    def plain(self, width: float) -> nn.Module:
        """An ``nn.Conv2d`` with a copy of the leading kernels."""
        kept, size, stride = self._kept(self.out_channels, width), self.kernel_size[0], self.stride[0]
        return with_leading(nn.Conv2d(kept, kept, size, stride, size // 2, groups=kept, bias=False), self)

    def owned(self, width: float) -> dict[str, Region]:
        """The leading kernels."""
        return {"weight": (slice(self._kept(self.out_channels, width)),)}

    def slimmed_channels(self) -> int | None:
        """The full number of channels."""
        return self.out_channels


class SlimmableLinear(nn.Linear, Slimmable):
    """A linear layer whose input follows the width.

    Args:
        in_features: full number of input channels.
        out_features: full number of output channels.
        bias: whether one is added.
        slim_out: False for the head, whose output has the same dimension at every width.
        heads: see ``Slimmable``.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = False,
        slim_out: bool = False,
        heads: int | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.slim_out = slim_out
        self.heads = heads

    def _shape(self, width: float) -> tuple[int, int]:
        outputs = self._kept(self.out_features, width) if self.slim_out else self.out_features
        return outputs, self._kept(self.in_features, width)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """``[..., in(width)]`` to ``[..., out(width)]``."""
        outputs, inputs = self._shape(self.width)
        return F.linear(input, self.weight[:outputs, :inputs], None if self.bias is None else self.bias[:outputs])

    def plain(self, width: float) -> nn.Module:
        """An ``nn.Linear`` with a copy of the leading weights."""
        outputs, inputs = self._shape(width)
        return with_leading(nn.Linear(inputs, outputs, bias=self.bias is not None), self)

    def owned(self, width: float) -> dict[str, Region]:
        """The leading outputs of the leading inputs."""
        outputs, inputs = self._shape(width)
        return {"weight": (slice(outputs), slice(inputs)), **_owned_bias(self, outputs)}

    def slimmed_channels(self) -> int | None:
        """The full number of output channels; None for the head."""
        return self.out_features if self.slim_out else None


Plain = TypeVar("Plain", bound=nn.Module)


def with_leading(layer: Plain, full: nn.Module) -> Plain:
    """A layer with the leading part of every parameter of a fuller one, in its dtype and on its device."""
    leading = dict(full.named_parameters())
    layer = layer.to(next(iter(leading.values())))
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(leading[name][tuple(slice(size) for size in parameter.shape)])
    return layer


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """A layer that computes with this weight ``[out, in]`` and bias ``[out]``."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


def _owned_bias(layer: nn.Module, outputs: int) -> dict[str, Region]:
    return {} if layer.bias is None else {"bias": (slice(outputs),)}
