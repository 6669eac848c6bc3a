"""What each sub-model is trained for: a method turns the output of every width into its loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from trainer.losses import (
    Evidence,
    distillation_loss,
    evidence,
    expected_cross_entropy,
    misleading_evidence,
    softmax_loss,
)
from trainer.recipe import Priority, Recipe


@dataclass(frozen=True)
class Target:
    """What a batch is to be recognised as, and how far training has come."""

    identity: Tensor
    """``[N]`` int64."""
    progress: float
    """Share of the training steps that are done, in [0, 1]."""


@dataclass(frozen=True)
class Output:
    """What one width makes of a batch."""

    embedding: Tensor
    """``[N, D]`` float32, L2-normalised."""
    cosines: Tensor
    """``[N, K]`` float32, to the shared prototypes of the identities."""


@dataclass(frozen=True)
class WidthLoss:
    """The loss of one width on one batch."""

    value: Tensor
    """A scalar to be differentiated."""
    uncertainty: float
    """Mean u = K / S over the batch."""


class Method(Protocol):
    """Gives each width its loss."""

    def loss(self, output: Output, target: Target, teacher: Tensor | None) -> WidthLoss:
        """The loss of one width.

        Args:
            output: of this width.
            target: identities and progress.
            teacher: ``[N, D]``, the embeddings of the widest model, without a gradient; None for that model itself.
        """


@dataclass(frozen=True)
class Sfsc:
    """Self-compatible training (arXiv 2206.08289).

    The widest model learns to discriminate by softmax, the narrower ones learn to be compatible, through a loss that
    rests on their uncertainty. Beyond the paper, their embeddings are drawn to those of the widest model.
    """

    recipe: Recipe

    def loss(self, output: Output, target: Target, teacher: Tensor | None) -> WidthLoss:
        """See ``Method.loss``."""
        settings = self.recipe.compatibility
        given = evidence(output.cosines, settings.evidence_scale)
        value = self._recognition(output, given, target, widest=teacher is None)
        if teacher is not None and settings.distillation:
            value = value + settings.distillation * distillation_loss(output.embedding, teacher)
        return WidthLoss(value, given.uncertainty.mean().item())

    def _recognition(self, output: Output, given: Evidence, target: Target, *, widest: bool) -> Tensor:
        settings = self.recipe.compatibility
        if widest or settings.loss == "plain":
            return softmax_loss(output.cosines, target.identity, self.recipe.softmax_scale)
        value = expected_cross_entropy(given, target.identity)
        if settings.kl_weight:
            value = value + settings.kl_weight * target.progress * misleading_evidence(given, target.identity)
        return value


def priorities(uncertainties: Sequence[float], kind: Priority) -> list[float]:
    """The weight of each width's gradient.

    Args:
        uncertainties: mean uncertainty of each width.
        kind: ``equal``, or ``uncertainty``: an uncertain model is heard more; the weights sum to their number.
    """
    if kind == "equal":
        return [1.0] * len(uncertainties)
    mean = sum(uncertainties) / len(uncertainties)
    return [uncertainty / mean for uncertainty in uncertainties]
