"""The networks that can be slimmed, by name."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from trainer.backbone import Backbone, ImageSize
from trainer.errors import TrainerError
from trainer.mobilenet import mobilenet_v2
from trainer.resnet import BasicBlock, Bottleneck, resnet, resnet_mini
from trainer.vit import vit

ARCHITECTURES: Final[dict[str, Callable[[Sequence[float], ImageSize], Backbone]]] = {
    "resnet-mini": resnet_mini,
    "resnet18": partial(resnet, block=BasicBlock, blocks=(2, 2, 2, 2)),
    "resnet34": partial(resnet, block=BasicBlock, blocks=(3, 4, 6, 3)),
    "resnet50": partial(resnet, block=Bottleneck, blocks=(3, 4, 6, 3)),
    "resnet101": partial(resnet, block=Bottleneck, blocks=(3, 4, 23, 3)),
    "mobilenetv2": mobilenet_v2,
    "vit-s": partial(vit, heads=6),
    "vit-b": partial(vit, heads=12),
}
"""Each makes a network of the widths that are trained, for images of one height and width in pixels."""


def build(arch: str, widths: Sequence[float], image_size: ImageSize) -> Backbone:
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
