"""The head of the embedding, taught by the widest width alone."""

from torch import Tensor
from torch.nn import functional as F

from trainer.slimmable import SlimmableLinear


class WidestHead(SlimmableLinear):
    """A head whose leading columns narrower widths compute with as they are; only the widest changes them.

    So the widest is not bent by what suits the narrower ones.

    Args:
        features: full number of channels of the input.
        dim: D, the dimension of the embedding at every width.
        heads: see ``Slimmable``.
    """

    def __init__(self, features: int, dim: int, *, heads: int | None = None) -> None:
        super().__init__(features, dim, heads=heads)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """``[N, C(width)]`` to ``[N, D]``."""
        _, inputs = self._shape(self.width)
        weight = self.weight if self.width == 1 else self.weight.detach()
        return F.linear(input, weight[:, :inputs])
