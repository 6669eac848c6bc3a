"""Batch norms of a supernet: every width sees other activations, so every width has statistics of its own."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.slimmable import Region, Slimmable, channels


class SwitchableNorm(Slimmable):
    """A batch norm of feature maps, with statistics and affine parameters of its own for each width.

    Args:
        full: full number of channels.
        widths: the widths that are trained.
    """

    def __init__(self, full: int, widths: Sequence[float]) -> None:
        super().__init__()
        self.full = full
        self.widths = tuple(widths)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels(full, width)) for width in self.widths)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch's norms give it
        """Normalises ``[N, C(width), H, W]`` with the statistics of the current width."""
        normalised: Tensor = self.norms[self.widths.index(self.width)](input)
        return normalised

    def plain(self, width: float) -> nn.Module:
        """A copy of the norm of a trained width."""
        return copy.deepcopy(self.norms[self.widths.index(width)])

    def slimmed_channels(self) -> int | None:
        """The full number of channels."""
        return self.full


class EmbeddingNorm(Slimmable):
    """The norm of the embedding: each width has statistics of its own, but all share scale and offset.

    With a scale of its own each width would stress other dimensions, and cosines between widths would suffer:
    sharing it is worth several points of mAP in the worst pair.

    Args:
        dim: D, the dimension of the embedding.
        widths: the widths that are trained.
    """

    def __init__(self, dim: int, widths: Sequence[float]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.norms = nn.ModuleList(nn.BatchNorm1d(dim, affine=False) for _ in self.widths)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch's norms give it
        """Normalises ``[N, D]`` with the statistics of the current width."""
        standardised: Tensor = self.norms[self.widths.index(self.width)](input)
        return standardised * self.weight + self.bias

    def plain(self, width: float) -> nn.Module:
        """An ``nn.BatchNorm1d`` with the statistics of a trained width."""
        statistics = self.norms[self.widths.index(width)]
        norm = nn.BatchNorm1d(len(self.weight)).to(self.weight)
        norm.load_state_dict({"weight": self.weight, "bias": self.bias, **statistics.state_dict()})
        return norm

    def owned(self, width: float) -> dict[str, Region]:
        """Scale and offset as a whole."""
        del width
        return {"weight": (), "bias": ()}

    def slimmed_channels(self) -> int | None:
        """None: the embedding has the same dimension at every width."""
        return None
