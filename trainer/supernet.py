"""The supernet: one embedding network that holds every sub-model, and the classifier that all of them share."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.alignment import Alignment
from trainer.architectures import build
from trainer.backbone import ImageSize
from trainer.errors import TrainerError
from trainer.head import HeadOfEachWidth
from trainer.norms import EmbeddingNorm
from trainer.slimmable import Region, Slimmable, SlimmableLinear, channels


class EmbeddingNet(nn.Module):
    """Backbone, head, norm and alignment of the embedding: ``[N, 3, H, W]`` to ``[N, D]``, not yet L2-normalised."""

    def __init__(self, backbone: nn.Module, head: nn.Module, norm: nn.Module, alignment: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.norm = norm
        self.alignment = alignment

    def forward(self, images: Tensor) -> Tensor:
        """``[N, 3, H, W]`` float32, normalised, to ``[N, D]``."""
        embedding: Tensor = self.alignment(self.norm(self.head(self.backbone(images))))
        return embedding


class CosineClassifier(nn.Module):
    """Cosines between embeddings and one prototype an identity.

    All widths share it: being drawn to the same prototypes, their spaces agree where the training identities lie.
    """

    def __init__(self, dim: int, identities: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(identities, dim) / dim**0.5)

    def forward(self, embedding: Tensor) -> Tensor:
        """``[N, D]``, float32 and L2-normalised, to cosines ``[N, identities]``."""
        return F.linear(embedding, self.prototypes)

    @property
    def prototypes(self) -> Tensor:
        """``[identities, D]``, L2-normalised."""
        return F.normalize(self.weight)


class Supernet(nn.Module):
    """A slimmable embedding network together with its shared classifier.

    Args:
        arch: a key of ``trainer.architectures.ARCHITECTURES``.
        widths: width multipliers, ascending, the last one 1.
        dim: D, the dimension of the embedding at every width.
        identities: number of identities of the training set.
        image_size: height and width of the images in pixels.
        own_heads: whether each width has a head of the embedding for itself, or all share one.
        aligned: whether each width's embedding is mapped to what all agree on, once they are trained.

    Raises:
        TrainerError: unknown architecture, a size that it can't have, or widths that leave a layer without
            channels or two widths with the same ones.
    """

    def __init__(
        self,
        arch: str,
        widths: Sequence[float],
        dim: int,
        identities: int,
        image_size: ImageSize,
        *,
        own_heads: bool = False,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.dim = dim
        backbone = build(arch, self.widths, image_size)
        features, heads = backbone.features, backbone.heads
        self.net = EmbeddingNet(
            backbone,
            HeadOfEachWidth(features, dim, self.widths, heads=heads)
            if own_heads
            else SlimmableLinear(features, dim, heads=heads),
            EmbeddingNorm(dim, self.widths),
            Alignment(dim, self.widths) if aligned else nn.Identity(),
        )
        self.classifier = CosineClassifier(dim, identities)
        self._refuse_degenerate_widths()

    def forward(self, images: Tensor, width: float) -> Tensor:
        """Embeds with the sub-model of a width.

        Args:
            images: ``[N, 3, H, W]`` float32, normalised.
            width: one of ``widths``.

        Returns:
            ``[N, D]``, not L2-normalised.
        """
        for layer in self._layers().values():
            layer.width = width
        embedding: Tensor = self.net(images)
        return embedding

    def of(self, width: float) -> "Supernet":
        """The network that holds a width: this one."""
        del width
        return self

    def owned(self, width: float) -> dict[str, Region]:
        """The leading region of every shared parameter that a width computes with, by the parameter's full name.

        An empty region stands for a parameter that is shared as a whole.
        """
        regions: dict[str, Region] = {"classifier.weight": ()}
        for name, layer in self._layers().items():
            regions.update({f"{name}.{parameter}": region for parameter, region in layer.owned(width).items()})
        return regions

    def _layers(self) -> dict[str, Slimmable]:
        return {name: module for name, module in self.named_modules() if isinstance(module, Slimmable)}

    def _refuse_degenerate_widths(self) -> None:
        for name, layer in self._layers().items():
            full = layer.slimmed_channels()
            counts = [] if full is None else [channels(full, width, layer.heads) for width in self.widths]
            if 0 in counts or len(set(counts)) < len(counts):
                raise TrainerError(
                    f"Widths {_listed(self.widths)} leave layer {name} with {_listed(counts)} of {full} channels; "
                    "every width needs at least one channel, and more than the width before it.",
                    "Set widths that lie further apart (--widths).",
                )


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
