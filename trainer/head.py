"""A head of the embedding for each width."""

from collections.abc import Sequence

from torch import Tensor, nn

from trainer.slimmable import Slimmable, with_leading


class HeadOfEachWidth(Slimmable):
    """Linear layers from the features of each width to the embedding, all begun as slices of one.

    In one that all widths share, a narrow one's few features pull at columns that the widest needs otherwise. Heads are
    small beside the backbone, which stays shared, and a device gets but one of them.

    Args:
        features: full number of channels of the input.
        dim: D, the dimension of the embedding at every width.
        widths: the widths that are trained.
        heads: see ``Slimmable``.
    """

    def __init__(self, features: int, dim: int, widths: Sequence[float], *, heads: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.widths = tuple(widths)
        self.features = features
        self.dim = dim
        whole = nn.Linear(features, dim, bias=False)
        self.layers = nn.ModuleList(self._leading(whole, width) for width in self.widths)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """``[N, C(width)]`` to ``[N, D]``."""
        embedding: Tensor = self.layers[self.widths.index(self.width)](input)
        return embedding

    def plain(self, width: float) -> nn.Module:
        """A copy of the layer of a width; where it was not trained, a slice of the next wider one's."""
        wider = min(trained for trained in self.widths if trained >= width)
        return self._leading(self.layers[self.widths.index(wider)], width)

    def slimmed_channels(self) -> int | None:
        """None: the embedding has the same dimension at every width."""
        return None

    def _leading(self, wider: nn.Module, width: float) -> nn.Linear:
        return with_leading(nn.Linear(self._kept(self.features, width), self.dim, bias=False), wider)
