"""The networks that can be slimmed, by name.

Each is imported when it is made: whoever validates a name needn't wait for torch.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from trainer.errors import TrainerError

if TYPE_CHECKING:
    from trainer.backbone import Backbone, ImageSize


def _resnet_mini(widths: Sequence[float], image_size: "ImageSize") -> "Backbone":
    from trainer.resnet import resnet_mini

    return resnet_mini(widths, image_size)


def _basic_resnet(widths: Sequence[float], image_size: "ImageSize", *, blocks: Sequence[int]) -> "Backbone":
    from trainer.resnet import BasicBlock, resnet

    return resnet(widths, image_size, block=BasicBlock, blocks=blocks)


def _bottleneck_resnet(widths: Sequence[float], image_size: "ImageSize", *, blocks: Sequence[int]) -> "Backbone":
    from trainer.resnet import Bottleneck, resnet

    return resnet(widths, image_size, block=Bottleneck, blocks=blocks)


def _mobilenet_v2(widths: Sequence[float], image_size: "ImageSize") -> "Backbone":
    from trainer.mobilenet import mobilenet_v2

    return mobilenet_v2(widths, image_size)


def _vit(widths: Sequence[float], image_size: "ImageSize", *, heads: int) -> "Backbone":
    from trainer.vit import vit

    return vit(widths, image_size, heads=heads)


ARCHITECTURES: Final[dict[str, Callable[[Sequence[float], "ImageSize"], "Backbone"]]] = {
    "resnet-mini": _resnet_mini,
    "resnet18": partial(_basic_resnet, blocks=(2, 2, 2, 2)),
    "resnet34": partial(_basic_resnet, blocks=(3, 4, 6, 3)),
    "resnet50": partial(_bottleneck_resnet, blocks=(3, 4, 6, 3)),
    "resnet101": partial(_bottleneck_resnet, blocks=(3, 4, 23, 3)),
    "mobilenetv2": _mobilenet_v2,
    "vit-s": partial(_vit, heads=6),
    "vit-b": partial(_vit, heads=12),
}
"""Each makes a network of the widths that are trained, for images of one height and width in pixels."""


def build(arch: str, widths: Sequence[float], image_size: "ImageSize") -> "Backbone":
    """A network with fresh weights.

    Args:
        arch: a key of ``ARCHITECTURES``.
        widths: width multipliers, ascending, the last one 1.
        image_size: height and width in pixels.

    Raises:
        TrainerError: unknown architecture, or widths or a size that it can't have.
    """
    if arch not in ARCHITECTURES:
        raise TrainerError(f"There is no architecture {arch!r}.", f"Choose one of: {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[arch](widths, image_size)
