"""Norms of a supernet: every width sees other activations, so every width has norms of its own."""

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from trainer.slimmable import Region, Slimmable

_MOMENTUM = 0.1
"""Share of a batch in the running statistics of a batch norm."""
_FEW = 0.01


def initial_share(steps: int) -> float:
    """How much of its running statistics a batch norm still has from its beginning after so many training steps."""
    return (1 - _MOMENTUM) ** steps


def enough_steps() -> int:
    """After how many that share is negligible.

    Fewer leave embeddings poor, however low the loss: on easy images, against statistics that were taken anew, 24 steps
    lost 26 points of mAP, 32 steps 4 points, and these 44 none.
    """
    return math.ceil(math.log(_FEW) / math.log(1 - _MOMENTUM))


class _NormOfEachWidth(Slimmable):
    """A norm with all parameters of its own for each width."""

    def __init__(
        self, full: int, widths: Sequence[float], make: Callable[[int], nn.Module], heads: int | None = None
    ) -> None:
        super().__init__()
        self.full = full
        self.heads = heads
        self.widths = tuple(widths)
        self.norms = nn.ModuleList(make(self._kept(full, width)) for width in self.widths)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch's norms give it
        """Normalises with the norm of the current width, keeping the shape."""
        normalised: Tensor = self.norms[self.widths.index(self.width)](input)
        return normalised

    def plain(self, width: float) -> nn.Module:
        """A copy of the norm of a trained width."""
        return copy.deepcopy(self.norms[self.widths.index(width)])

    def slimmed_channels(self) -> int | None:
        """The full number of channels."""
        return self.full


class SwitchableNorm(_NormOfEachWidth):
    """A batch norm of feature maps ``[N, C(width), H, W]``; each width has statistics and an affine of its own.

    Args:
        full: full number of channels.
        widths: the widths that are trained.
    """

    def __init__(self, full: int, widths: Sequence[float]) -> None:
        super().__init__(full, widths, partial(nn.BatchNorm2d, momentum=_MOMENTUM))


class SwitchableLayerNorm(_NormOfEachWidth):
    """A layer norm of tokens ``[N, T, C(width)]``; each width has an affine of its own.

    Args:
        full: full number of channels.
        widths: the widths that are trained.
        heads: see ``Slimmable``.
    """

    def __init__(self, full: int, widths: Sequence[float], heads: int) -> None:
        super().__init__(full, widths, partial(nn.LayerNorm, eps=1e-6), heads)


class EmbeddingNorm(Slimmable):
    """The norm of the embedding: each width has statistics of its own, but all share scale and offset.

    With a scale of its own each width would stress other dimensions, and cosines between widths would suffer: before
    they are aligned, sharing it is worth several points of mAP in the worst pair.

    Args:
        dim: D, the dimension of the embedding.
        widths: the widths that are trained.
    """

    def __init__(self, dim: int, widths: Sequence[float]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.norms = nn.ModuleList(nn.BatchNorm1d(dim, momentum=_MOMENTUM, affine=False) for _ in self.widths)

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
