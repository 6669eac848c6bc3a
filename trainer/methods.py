"""What each width is trained for, with whom and in which order: a method is an object that the loop asks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

from torch import Tensor

from trainer.base_loss import Discriminate, base_loss
from trainer.losses import (
    Evidence,
    asymmetric_loss,
    distillation_loss,
    evidence,
    expected_cross_entropy,
    misleading_evidence,
    softmax_loss,
)
from trainer.recipe import MethodName, Priority, Recipe

Phase = tuple[float, ...]
"""Widths that are trained side by side, ascending."""


@dataclass(frozen=True)
class Target:
    """What a batch is to be recognised as, and how far training has come."""

    identity: Tensor
    """``[N]`` int64."""
    progress: float
    """Share of the steps of the phase that are done, in [0, 1]."""


@dataclass(frozen=True)
class Output:
    """What one width makes of a batch."""

    embedding: Tensor
    """``[N, D]`` float32, L2-normalised."""
    prototypes: Tensor
    """``[K, D]`` float32, L2-normalised: the classifier of its network."""

    @cached_property
    def cosines(self) -> Tensor:
        """Of the embeddings to the prototypes: ``[N, K]``."""
        return self.embedding @ self.prototypes.T

    def detached(self) -> "Output":
        """The same numbers without gradients."""
        return Output(self.embedding.detach(), self.prototypes.detach())

    def seen_by(self, other: "Output") -> "Output":
        """These embeddings, before the prototypes of another one."""
        return Output(self.embedding, other.prototypes)


@dataclass(frozen=True)
class WidthLoss:
    """The loss of one width on one batch."""

    value: Tensor
    """A scalar to be differentiated."""
    uncertainty: float
    """Mean u = K / S over the batch."""


class Method(Protocol):
    """How a set of widths is trained."""

    @property
    def one_network(self) -> bool:
        """Whether all widths are slices of one supernet with one classifier, or networks of their own."""

    @property
    def reconciles(self) -> bool:
        """Whether conflicting gradients of the widths are projected; else they are added up."""

    def phases(self, widths: Sequence[float]) -> tuple[Phase, ...]:
        """Which widths are trained when; what an earlier phase trained stays as it is, where networks differ."""

    def anchor(self, widths: Sequence[float]) -> float | None:
        """The width that others are drawn to; it is the widest of its phase, so that it is known before them."""

    def loss(self, output: Output, target: Target, anchor: Output | None) -> WidthLoss:
        """The loss of one width.

        Args:
            output: of this width.
            target: identities and progress.
            anchor: what the anchor makes of the same images, without gradients; None for the anchor itself.
        """


@dataclass(frozen=True)
class _Discriminating:
    """What all methods share: a base loss, and uncertainty as the evidence of the cosines tells it."""

    recipe: Recipe
    discriminate: Discriminate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "discriminate", base_loss(self.recipe.loss))

    def evidence(self, output: Output) -> Evidence:
        """Of the cosines."""
        return evidence(output.cosines, self.recipe.compatibility.evidence_scale)

    def base(self, output: Output, target: Target) -> Tensor:
        """The base loss."""
        return self.discriminate(output.embedding, output.cosines, target.identity, self.recipe.softmax_scale)

    def weighed(self, value: Tensor, given: Evidence) -> WidthLoss:
        """A loss with the uncertainty that goes with it."""
        return WidthLoss(value, given.uncertainty.mean().item())


@dataclass(frozen=True)
class Sfsc(_Discriminating):
    """Self-compatible training (arXiv 2206.08289).

    The widest model learns to discriminate by the base loss, the narrower ones learn to be compatible, through a loss
    that rests on their uncertainty. They may also follow the widest: be drawn to its embeddings, or recognised by
    prototypes that it alone has taught. What brings them together once they are trained is ``trainer.alignment``.
    """

    one_network = True
    reconciles = True

    def phases(self, widths: Sequence[float]) -> tuple[Phase, ...]:
        """All side by side."""
        return (tuple(widths),)

    def anchor(self, widths: Sequence[float]) -> float | None:
        """The widest."""
        return widths[-1]

    def loss(self, output: Output, target: Target, anchor: Output | None) -> WidthLoss:
        """See ``Method.loss``."""
        settings = self.recipe.compatibility
        if anchor is None:
            return self.weighed(self.base(output, target), self.evidence(output))
        if settings.prototypes == "widest":
            output = output.seen_by(output.detached())
        given = self.evidence(output)
        value = self._compatible(output, given, target)
        weight = settings.distillation
        if weight:
            value = value + weight * target.progress * distillation_loss(output.embedding, anchor.embedding)
        return self.weighed(value, given)

    def _compatible(self, output: Output, given: Evidence, target: Target) -> Tensor:
        settings = self.recipe.compatibility
        if settings.loss == "plain":
            return self.base(output, target)
        value = expected_cross_entropy(given, target.identity)
        if settings.kl_weight:
            value = value + settings.kl_weight * target.progress * misleading_evidence(given, target.identity)
        return value


@dataclass(frozen=True)
class Joint(_Discriminating):
    """One supernet and one classifier, each width with the base loss, the losses summed."""

    one_network = True
    reconciles = False

    def phases(self, widths: Sequence[float]) -> tuple[Phase, ...]:
        """All side by side; of ``unified`` there is but one."""
        return (tuple(widths),)

    def anchor(self, widths: Sequence[float]) -> float | None:
        """None: nobody looks at another."""
        del widths
        return None

    def loss(self, output: Output, target: Target, anchor: Output | None) -> WidthLoss:
        """See ``Method.loss``."""
        del anchor
        return self.weighed(self.base(output, target), self.evidence(output))


@dataclass(frozen=True)
class Independent(Joint):
    """A network and a classifier for each width: what each could reach if it had to fit no other."""

    one_network = False


@dataclass(frozen=True)
class Bct(_Discriminating):
    """Backward-compatible training (arXiv 2003.11942, eq. 3), one to one.

    The narrowest model is trained and frozen; each wider one, with a classifier of its own, must besides be recognised
    by the classifier of the narrowest.
    """

    one_network = False
    reconciles = False

    def phases(self, widths: Sequence[float]) -> tuple[Phase, ...]:
        """The narrowest first."""
        return _apart((widths[0],), tuple(widths[1:]))

    def anchor(self, widths: Sequence[float]) -> float | None:
        """The narrowest."""
        return widths[0]

    def loss(self, output: Output, target: Target, anchor: Output | None) -> WidthLoss:
        """See ``Method.loss``."""
        value = self.base(output, target)
        if anchor is not None:
            value = value + self.base(output.seen_by(anchor), target)
        return self.weighed(value, self.evidence(output))


@dataclass(frozen=True)
class Asymmetric(_Discriminating):
    """Asymmetric metric learning (arXiv 2006.16331): narrow queries against the widest model's gallery.

    The widest model is trained and frozen; each narrower one learns from pairs of its own embedding with the widest
    one's, and from the plain regression on these, which that paper found to serve narrow queries best.
    """

    one_network = False
    reconciles = False

    def phases(self, widths: Sequence[float]) -> tuple[Phase, ...]:
        """The widest first."""
        return _apart((widths[-1],), tuple(widths[:-1]))

    def anchor(self, widths: Sequence[float]) -> float | None:
        """The widest."""
        return widths[-1]

    def loss(self, output: Output, target: Target, anchor: Output | None) -> WidthLoss:
        """See ``Method.loss``; a narrow model has no prototypes but those of the widest."""
        if anchor is None:
            return self.weighed(self.base(output, target), self.evidence(output))
        pairs = asymmetric_loss(output.embedding, anchor.embedding, target.identity)
        regression = distillation_loss(output.embedding, anchor.embedding)
        return self.weighed(pairs + regression, self.evidence(output.seen_by(anchor)))


@dataclass(frozen=True)
class FittingOldGeneration:
    """A method all of whose widths must besides be recognised by the prototypes of an older generation.

    That is the influence loss of backward-compatible training (arXiv 2003.11942, eq. 3) with its synthesised
    classifier: prototypes are the old model's mean embeddings of the identities, which so may be new ones.
    """

    inner: Method
    recipe: Recipe
    old_prototypes: Tensor
    """``[K, D]`` float32, L2-normalised, of the training identities."""

    @property
    def one_network(self) -> bool:
        """As of the method itself."""
        return self.inner.one_network

    @property
    def reconciles(self) -> bool:
        """As of the method itself."""
        return self.inner.reconciles

    def phases(self, widths: Sequence[float]) -> tuple[Phase, ...]:
        """As of the method itself."""
        return self.inner.phases(widths)

    def anchor(self, widths: Sequence[float]) -> float | None:
        """As of the method itself."""
        return self.inner.anchor(widths)

    def loss(self, output: Output, target: Target, anchor: Output | None) -> WidthLoss:
        """See ``Method.loss``."""
        own = self.inner.loss(output, target, anchor)
        seen = output.embedding @ self.old_prototypes.T
        influence = softmax_loss(seen, target.identity, self.recipe.softmax_scale)
        weight = self.recipe.compatibility.old_generation
        return WidthLoss(own.value + weight * influence, own.uncertainty)


_METHODS: Mapping[MethodName, Callable[[Recipe], Method]] = MappingProxyType(
    {
        "sfsc": Sfsc,
        "joint": Joint,
        "bct": Bct,
        "asymmetric": Asymmetric,
        "independent": Independent,
        "unified": Joint,
    }
)


def method_of(recipe: Recipe) -> Method:
    """The method that a recipe asks for."""
    return _METHODS[recipe.method](recipe)


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


def _apart(first: Phase, then: Phase) -> tuple[Phase, ...]:
    return (first, then) if then else (first,)
