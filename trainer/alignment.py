"""What brings the widths together once they are trained: a linear map of the embedding for each, in closed form."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.slimmable import Slimmable, linear

IMAGES_A_DIMENSION = 32
"""Training images that maps are fitted to, for each dimension of the embedding: with half as many mAP was the same."""

_PRIOR = 4
"""How many images the identity counts as: 60 images want about 4 to 6, 500 and more don't care."""


class Alignment(Slimmable):
    """A map ``[D, D]`` for each width, the identity until ``fit`` finds another.

    While the networks train it passes embeddings on as they are: widths learn as if there were none.

    Args:
        dim: D, the dimension of the embedding.
        widths: the widths that are trained.
    """

    maps: Tensor
    """``[K, D, D]``: each as the weight of a linear layer."""

    def __init__(self, dim: int, widths: Sequence[float]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.register_buffer("maps", torch.eye(dim).repeat(len(self.widths), 1, 1))

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """``[N, D]``, not L2-normalised, to the same."""
        return input if self.training else F.linear(input, self.maps[self.widths.index(self.width)])

    def reset(self) -> None:
        """Goes back to the identity."""
        self.maps.copy_(torch.eye(self.maps.shape[-1]))

    def set_map(self, width: float, weight: Tensor) -> None:
        """Gives a width its map, ``[D, D]``."""
        self.maps[self.widths.index(width)] = weight

    def plain(self, width: float) -> nn.Module:
        """An ``nn.Linear`` with the map of a width; with the identity, where it was not trained."""
        weight = self.maps[self.widths.index(width)] if width in self.widths else torch.eye(self.maps.shape[-1])
        return linear(weight.to(self.maps, copy=True))

    def slimmed_channels(self) -> int | None:
        """None: the embedding has the same dimension at every width."""
        return None


def consensus(embeddings: Tensor) -> Tensor:
    """What several models together make of each image: the direction of the sum of their embeddings.

    Args:
        embeddings: ``[M, N, D]`` of M models, L2-normalised.

    Returns:
        ``[N, D]``, L2-normalised.
    """
    return F.normalize(embeddings.sum(0), dim=1)


class LeastSquares:
    """The linear map of embeddings that comes closest to wanted ones, drawn to the identity.

    Without an offset, so that the length of a row is without effect on the direction that it is mapped to. What the
    images leave open stays as it is. It is one step of the alternating fit of generalised canonical correlation
    (Carroll 1968) to a common target. Calculated in float64: few identities leave directions nearly empty. No image is
    kept, so there may be any number.

    Args:
        dim: D, the dimension of the embedding.
    """

    def __init__(self, dim: int) -> None:
        self._inner = _PRIOR / dim * torch.eye(dim, dtype=torch.float64)
        self._outer = self._inner.clone()

    def see(self, embedding: Tensor, wanted: Tensor) -> None:
        """Takes in ``[N, D]`` and what they should be mapped to, both L2-normalised."""
        rows, target = embedding.cpu().double(), wanted.cpu().double()
        self._inner += rows.T @ rows
        self._outer += rows.T @ target

    def solve(self) -> Tensor:
        """``[D, D]`` float32: the weight of a linear layer."""
        solution: Tensor = torch.linalg.solve(self._inner, self._outer)
        return solution.T.float().contiguous()


def fit(embedding: Tensor, wanted: Tensor) -> Tensor:
    """The map of ``LeastSquares`` for embeddings that are all at hand, ``[N, D]`` each."""
    squares = LeastSquares(embedding.shape[1])
    squares.see(embedding, wanted)
    return squares.solve()
