"""Slimmable residual networks (arXiv 1512.03385); names inside of stages follow torchvision's."""

from collections.abc import Sequence

from torch import Tensor, nn

from trainer.backbone import Backbone, ImageSize
from trainer.norms import SwitchableNorm
from trainer.slimmable import SlimmableConv2d


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int, widths: Sequence[float]) -> None:
        super().__init__()
        self.conv1 = SlimmableConv2d(inputs, outputs, 3, stride=stride)
        self.bn1 = SwitchableNorm(outputs, widths)
        self.conv2 = SlimmableConv2d(outputs, outputs, 3)
        self.bn2 = SwitchableNorm(outputs, widths)
        self.relu = nn.ReLU()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                SlimmableConv2d(inputs, outputs, 1, stride=stride),
                SwitchableNorm(outputs, widths),
            )

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in, H, W]`` to ``[N, out, H / stride, W / stride]``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        activated: Tensor = self.relu(out + self.downsample(x))
        return activated


class ResNet(Backbone):
    """Stem, four stages of basic blocks, global average pooling: ``[N, 3, H, W]`` to ``[N, features]``.

    Args:
        blocks: number of blocks in each stage.
        stages: full number of channels of each stage.
        stem: the layers before the first stage, ending with ``stages[0]`` channels.
        widths: the widths that are trained.
    """

    def __init__(
        self, blocks: Sequence[int], stages: Sequence[int], stem: nn.Sequential, widths: Sequence[float]
    ) -> None:
        super().__init__()
        self.stem = stem
        inputs = stages[0]
        for number, (depth, outputs) in enumerate(zip(blocks, stages, strict=True), start=1):
            stride = 1 if number == 1 else 2
            self.add_module(f"layer{number}", _stage(inputs, outputs, stride, depth, widths))
            inputs = outputs
        self.stages = len(stages)
        self.features = stages[-1]
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


def resnet18(widths: Sequence[float], image_size: ImageSize) -> ResNet:
    """The standard ResNet-18."""
    del image_size
    stages = (64, 128, 256, 512)
    stem = nn.Sequential(
        SlimmableConv2d(3, stages[0], 7, stride=2, slim_in=False),
        SwitchableNorm(stages[0], widths),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    )
    return ResNet((2, 2, 2, 2), stages, stem, widths)


def _stage(inputs: int, outputs: int, stride: int, depth: int, widths: Sequence[float]) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride, widths)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, 1, widths) for _ in range(depth - 1)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
