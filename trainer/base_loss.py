"""By what a model learns to discriminate, whatever the others do; margins and pairs by pytorch-metric-learning."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from torch import Tensor

from trainer.losses import softmax_loss
from trainer.recipe import BaseLoss

Discriminate = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""From embeddings ``[N, D]``, cosines to the prototypes ``[N, K]``, identities ``[N]`` and scale to a scalar."""

_ALMOST_ONE = 1 - 1e-6
"""The derivative of the arc cosine is infinite at 1."""


def base_loss(name: BaseLoss) -> Discriminate:
    """The loss of a name, with the margin that its paper recommends.

    - ``softmax``: cross-entropy of scaled cosines.
    - ``arcface``: the same, with the angle to the right prototype enlarged by 0.5 (arXiv 1801.07698).
    - ``cosface``: the same, with the cosine to the right prototype lowered by 0.35 (arXiv 1801.09414).
    - ``triplet``: softmax, and the hardest triplet of each image in the batch, on cosine distances with margin 0.3
      (arXiv 1703.07737).
    - ``circle``: softmax, and the circle loss on the pairs of the batch with m = 0.25 and gamma = 128, as for persons
      (arXiv 2002.10857).

    The last two know no prototypes; these, which narrower models need, are learnt by the softmax.
    """
    return _LOSSES[name]


def _softmax(embedding: Tensor, cosines: Tensor, identity: Tensor, scale: float) -> Tensor:
    del embedding
    return softmax_loss(cosines, identity, scale)


def _arcface(embedding: Tensor, cosines: Tensor, identity: Tensor, scale: float) -> Tensor:
    from pytorch_metric_learning.losses import ArcFaceLoss

    del embedding
    return _with_margin(ArcFaceLoss, cosines.clamp(-_ALMOST_ONE, _ALMOST_ONE), identity, scale)


def _cosface(embedding: Tensor, cosines: Tensor, identity: Tensor, scale: float) -> Tensor:
    from pytorch_metric_learning.losses import CosFaceLoss

    del embedding
    return _with_margin(CosFaceLoss, cosines, identity, scale)


def _with_margin(kind: Callable[..., Any], cosines: Tensor, identity: Tensor, scale: float) -> Tensor:
    value: Tensor = _of_cosines(kind, cosines.shape[1], scale)(cosines, identity)
    return value


@cache
def _of_cosines(kind: Callable[..., Any], identities: int, scale: float) -> Any:
    """The library's loss on cosines that are known already, because its prototypes would be its own."""
    loss = kind(num_classes=identities, embedding_size=1, scale=scale)
    loss.get_cosine = lambda given: given
    return loss


def _triplet(embedding: Tensor, cosines: Tensor, identity: Tensor, scale: float) -> Tensor:
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner
    from pytorch_metric_learning.reducers import MeanReducer

    hardest = BatchHardMiner(distance=CosineSimilarity())(embedding, identity)
    loss = TripletMarginLoss(margin=0.3, distance=CosineSimilarity(), reducer=MeanReducer())
    value: Tensor = softmax_loss(cosines, identity, scale) + loss(embedding, identity, hardest)
    return value


def _circle(embedding: Tensor, cosines: Tensor, identity: Tensor, scale: float) -> Tensor:
    from pytorch_metric_learning.losses import CircleLoss

    pairs: Tensor = CircleLoss(m=0.25, gamma=128)(embedding, identity)
    return softmax_loss(cosines, identity, scale) + pairs


_LOSSES: Mapping[BaseLoss, Discriminate] = MappingProxyType(
    {"softmax": _softmax, "arcface": _arcface, "cosface": _cosface, "triplet": _triplet, "circle": _circle}
)
