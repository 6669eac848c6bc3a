"""What each sub-model is trained for: a method turns the cosines of every width into its loss."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from trainer.losses import evidence, expected_cross_entropy, misleading_evidence, softmax_loss
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Target:
    """What a batch is to be recognised as, and how far training has come."""

    identity: Tensor
    """``[N]`` int64."""
    progress: float
    """Share of the training steps that are done, in [0, 1]."""


@dataclass(frozen=True)
class WidthLoss:
    """The loss of one width on one batch."""

    value: Tensor
    """A scalar to be differentiated."""
    uncertainty: float
    """Mean u = K / S over the batch."""


class Method(Protocol):
    """Gives each width its loss."""

    def loss(self, cosines: Tensor, target: Target, *, widest: bool) -> WidthLoss:
        """The loss of one width.

        Args:
            cosines: ``[N, K]`` float32, of this width's embeddings to the shared prototypes.
            target: identities and progress.
            widest: whether this is the widest model.
        """


@dataclass(frozen=True)
class Sfsc:
    """Self-compatible training (arXiv 2206.08289).

    The widest model learns to discriminate by softmax, the narrower ones learn to be compatible, through a loss that
    rests on their uncertainty.
    """

    recipe: Recipe

    def loss(self, cosines: Tensor, target: Target, *, widest: bool) -> WidthLoss:
        """See ``Method.loss``."""
        settings = self.recipe.compatibility
        given = evidence(cosines, settings.evidence_scale)
        uncertainty = given.uncertainty.mean().item()
        if widest or settings.loss == "plain":
            return WidthLoss(softmax_loss(cosines, target.identity, self.recipe.softmax_scale), uncertainty)
        value = expected_cross_entropy(given, target.identity)
        if settings.kl_weight:
            annealed = settings.kl_weight * target.progress
            value = value + annealed * misleading_evidence(given, target.identity)
        return WidthLoss(value, uncertainty)


def priorities(uncertainties: list[float], kind: str) -> list[float]:
    """The weight of each width's loss.

    Args:
        uncertainties: mean uncertainty of each width, ascending widths.
        kind: ``equal``, or ``uncertainty``: an uncertain model is heard more, and the weights sum to their number.
    """
    if kind == "equal":
        return [1.0] * len(uncertainties)
    mean = sum(uncertainties) / len(uncertainties)
    return [u / mean for u in uncertainties]
