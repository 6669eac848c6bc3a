"""The networks that can be slimmed, by name."""

from collections.abc import Callable, Sequence
from typing import Final

from trainer.backbone import Backbone, ImageSize
from trainer.errors import TrainerError
from trainer.resnet import resnet18, resnet_mini

ARCHITECTURES: Final[dict[str, Callable[[Sequence[float], ImageSize], Backbone]]] = {
    "resnet-mini": resnet_mini,
    "resnet18": resnet18,
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
