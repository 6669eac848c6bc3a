"""Slimmable residual networks (arXiv 1512.03385); names inside of stages follow torchvision's."""

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor, nn

from trainer.backbone import Backbone, ImageSize
from trainer.norms import SwitchableNorm
from trainer.slimmable import SlimmableConv2d

STAGES = (64, 128, 256, 512)
"""Channels that the 3 x 3 convolutions of the standard networks have in each stage."""


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the way around them."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int, widths: Sequence[float]) -> None:
        super().__init__()
        self.conv1 = SlimmableConv2d(inputs, channels, 3, stride=stride)
        self.bn1 = SwitchableNorm(channels, widths)
        self.conv2 = SlimmableConv2d(channels, channels, 3)
        self.bn2 = SwitchableNorm(channels, widths)
        self.relu = nn.ReLU()
        self.downsample = _downsample(inputs, channels, stride, widths)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in, H, W]`` to ``[N, channels, H / stride, W / stride]``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        activated: Tensor = self.relu(out + self.downsample(x))
        return activated


class Bottleneck(nn.Module):
    """A 3 x 3 convolution, which has the stride as in torchvision, between two of 1 x 1; and the way around them."""

    expansion = 4

    def __init__(self, inputs: int, channels: int, stride: int, widths: Sequence[float]) -> None:
        super().__init__()
        outputs = self.expansion * channels
        self.conv1 = SlimmableConv2d(inputs, channels, 1)
        self.bn1 = SwitchableNorm(channels, widths)
        self.conv2 = SlimmableConv2d(channels, channels, 3, stride=stride)
        self.bn2 = SwitchableNorm(channels, widths)
        self.conv3 = SlimmableConv2d(channels, outputs, 1)
        self.bn3 = SwitchableNorm(outputs, widths)
        self.relu = nn.ReLU()
        self.downsample = _downsample(inputs, outputs, stride, widths)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in, H, W]`` to ``[N, 4 channels, H / stride, W / stride]``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        activated: Tensor = self.relu(out + self.downsample(x))
        return activated


Block: TypeAlias = type[BasicBlock] | type[Bottleneck]


class ResNet(Backbone):
    """Stem, stages of blocks, global average pooling: ``[N, 3, H, W]`` to ``[N, features]``.

    Args:
        blocks: number of blocks in each stage.
        stages: full number of channels of the 3 x 3 convolutions of each stage.
        stem: the layers before the first stage, ending with ``stages[0]`` channels.
        widths: the widths that are trained.
        block: what stages are made of.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        stages: Sequence[int],
        stem: nn.Sequential,
        widths: Sequence[float],
        block: Block = BasicBlock,
    ) -> None:
        super().__init__()
        self.stem = stem
        inputs = stages[0]
        for number, (depth, channels) in enumerate(zip(blocks, stages, strict=True), start=1):
            stride = 1 if number == 1 else 2
            self.add_module(f"layer{number}", _stage(block, inputs, channels, stride, depth, widths))
            inputs = block.expansion * channels
        self.stages = len(stages)
        self.features = inputs
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 3, H, W]`` float32, normalised, to ``[N, features(width)]``."""
        x = self.stem(x)
        for number in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return x.mean((2, 3))


def resnet_mini(widths: Sequence[float], image_size: ImageSize) -> ResNet:
    """ResNet-10 at half the usual channels with a stem for small images: trains in minutes on two cores."""
    del image_size
    stages = (32, 64, 128, 256)
    stem = nn.Sequential(
        SlimmableConv2d(3, stages[0], 3, stride=2, slim_in=False),
        SwitchableNorm(stages[0], widths),
        nn.ReLU(),
    )
    return ResNet((1, 1, 1, 1), stages, stem, widths)


def resnet(
    widths: Sequence[float],
    image_size: ImageSize,
    *,
    block: Block,
    blocks: Sequence[int],
    stages: Sequence[int] = STAGES,
) -> ResNet:
    """A standard residual network: a 7 x 7 convolution and max pooling before the stages."""
    del image_size
    stem = nn.Sequential(
        SlimmableConv2d(3, stages[0], 7, stride=2, slim_in=False),
        SwitchableNorm(stages[0], widths),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    )
    return ResNet(blocks, stages, stem, widths, block)


def _stage(block: Block, inputs: int, channels: int, stride: int, depth: int, widths: Sequence[float]) -> nn.Sequential:
    first = block(inputs, channels, stride, widths)
    inputs = block.expansion * channels
    return nn.Sequential(first, *(block(inputs, channels, 1, widths) for _ in range(depth - 1)))


def _downsample(inputs: int, outputs: int, stride: int, widths: Sequence[float]) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(SlimmableConv2d(inputs, outputs, 1, stride=stride), SwitchableNorm(outputs, widths))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
