"""A slimmable MobileNetV2 (arXiv 1801.04381); names inside of ``layers`` follow torchvision's ``features``."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from trainer.backbone import Backbone, ImageSize
from trainer.norms import SwitchableNorm
from trainer.slimmable import SlimmableConv2d, SlimmableDepthwise


class Stage(NamedTuple):
    """A row of table 2 of the paper."""

    expansion: int
    """t: how many times wider a block is inside."""
    channels: int
    """c: full number of channels that a block gives."""
    blocks: int
    """n."""
    stride: int
    """s, of the first block."""


STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
FIRST, LAST = 32, 1280


class InvertedResidual(nn.Module):
    """Expands, filters every channel by itself, and projects without an activation; goes around where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, widths: Sequence[float]) -> None:
        super().__init__()
        hidden = expansion * inputs
        expand = [_activated(SlimmableConv2d(inputs, hidden, 1), hidden, widths)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            _activated(SlimmableDepthwise(hidden, 3, stride=stride), hidden, widths),
            SlimmableConv2d(hidden, outputs, 1),
            SwitchableNorm(outputs, widths),
        )
        # Told by the full numbers of channels: two that differ may agree at some width by rounding.
        self.around = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        out: Tensor = self.conv(x)
        return x + out if self.around else out


class MobileNetV2(Backbone):
    """A convolution, inverted residuals, a wide 1 x 1 convolution, global average pooling.

    Args:
        stages: the blocks.
        first: full number of channels of the first convolution.
        last: full number of channels of the last one.
        widths: the widths that are trained.
    """

    def __init__(self, stages: Sequence[Stage], first: int, last: int, widths: Sequence[float]) -> None:
        super().__init__()
        layers = [_activated(SlimmableConv2d(3, first, 3, stride=2, slim_in=False), first, widths)]
        inputs = first
        for stage in stages:
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                layers.append(InvertedResidual(inputs, stage.channels, stride, stage.expansion, widths))
                inputs = stage.channels
        layers.append(_activated(SlimmableConv2d(inputs, last, 1), last, widths))
        self.layers = nn.Sequential(*layers)
        self.features = last
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 3, H, W]`` float32, normalised, to ``[N, features(width)]``."""
        maps: Tensor = self.layers(x)
        return maps.mean((2, 3))


def mobilenet_v2(
    widths: Sequence[float],
    image_size: ImageSize,
    *,
    stages: Sequence[Stage] = STAGES,
    first: int = FIRST,
    last: int = LAST,
) -> MobileNetV2:
    """The standard MobileNetV2. Widths keep shares of its channels as they are, not rounded to multiples of 8."""
    del image_size
    return MobileNetV2(stages, first, last, widths)


def _activated(convolution: nn.Module, outputs: int, widths: Sequence[float]) -> nn.Module:
    return nn.Sequential(convolution, SwitchableNorm(outputs, widths), nn.ReLU6())


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
