"""What each width is trained for, by each method."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from trainer.losses import asymmetric_loss, evidence, expected_cross_entropy, misleading_evidence, softmax_loss
from trainer.methods import (
    Asymmetric,
    Bct,
    FittingOldGeneration,
    Independent,
    Joint,
    Output,
    Sfsc,
    Target,
    method_of,
    priorities,
)
from trainer.recipe import Recipe

IDENTITY = torch.tensor([0, 2, 1])
WIDTHS = (0.25, 0.5, 1.0)


def output(seed: int = 0) -> Output:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(3, 6, generator=generator))
    return Output(embedding, F.normalize(torch.randn(4, 6, generator=generator)))


def recipe(method: str = "sfsc", **settings: Any) -> Recipe:
    plain = {"kl_weight": 0, "distillation": 0, "evidence_scale": 5}
    return Recipe.model_validate({"method": method, "compatibility": plain | settings})


def loss(anchor: Output | None, *, progress: float = 0.0, method: str = "sfsc", **settings: Any) -> float:
    asked = method_of(recipe(method, **settings))
    return asked.loss(output(), Target(IDENTITY, progress), anchor).value.item()


def softmax(given: Output) -> float:
    return softmax_loss(given.cosines, IDENTITY, Recipe().softmax_scale).item()


@pytest.mark.parametrize("method", ["sfsc", "joint", "bct", "asymmetric", "independent", "unified"])
def test_without_anchor_every_method_is_the_base_loss(method: str) -> None:
    assert loss(None, method=method, kl_weight=1, distillation=1, progress=1) == pytest.approx(softmax(output()))


def test_a_narrow_one_learns_from_its_evidence_or_by_the_plain_loss_of_the_widest() -> None:
    anchor = output(1)
    assert loss(anchor) == pytest.approx(expected_cross_entropy(evidence(output().cosines, 5), IDENTITY).item())
    assert loss(anchor, loss="plain") == pytest.approx(loss(None))


@pytest.mark.parametrize("kind", ["uncertainty", "plain"])
@pytest.mark.parametrize(("taught_by", "heard"), [("widest", False), ("all", True)])
def test_prototypes_hear_the_widest_alone_unless_all_are_to_teach_them(kind: str, taught_by: str, heard: bool) -> None:
    asked = method_of(recipe(loss=kind, prototypes=taught_by))
    assert taught(asked, output(1)) == (True, heard)
    assert taught(asked, None) == (True, True)


def taught(method: Any, anchor: Output | None) -> tuple[bool, bool]:
    """Whether embeddings and prototypes get a gradient."""
    own = Output(output().embedding.requires_grad_(), output().prototypes.requires_grad_())
    method.loss(own, Target(IDENTITY, 1.0), anchor).value.backward()
    return own.embedding.grad is not None, own.prototypes.grad is not None


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_misleading_evidence_counts_more_as_training_goes_on(progress: float) -> None:
    anchor = output(1)
    misleading = misleading_evidence(evidence(output().cosines, 5), IDENTITY).item()
    assert loss(anchor, kl_weight=0.3, progress=progress) == pytest.approx(loss(anchor) + 0.3 * progress * misleading)


def test_a_narrow_one_is_drawn_to_the_widest() -> None:
    own = output()
    opposite = Output(-own.embedding, own.prototypes)
    assert loss(own, distillation=2, progress=1) == pytest.approx(loss(own), abs=1e-6)
    assert loss(opposite, distillation=2, progress=1) == pytest.approx(loss(own) + 2 * 2, abs=1e-6)


def test_the_pull_grows_as_training_goes_on() -> None:
    widest = output(1)
    pulls = [loss(widest, distillation=2, progress=progress) - loss(widest) for progress in (0.0, 0.5, 1.0)]
    assert pulls == pytest.approx([0, pulls[2] / 2, pulls[2]], abs=1e-6)
    assert pulls[2] > 0


def test_backward_compatible_training_adds_what_the_old_classifier_says() -> None:
    old = output(1)
    judged = Output(output().embedding, old.prototypes)
    assert loss(old, method="bct") == pytest.approx(softmax(output()) + softmax(judged))


def test_asymmetric_training_looks_at_the_embeddings_of_the_widest_alone() -> None:
    widest = output(1)
    own = output().embedding
    pairs = asymmetric_loss(own, widest.embedding, IDENTITY).item()
    regression = 1 - (own * widest.embedding).sum(1).mean().item()
    assert loss(widest, method="asymmetric") == pytest.approx(pairs + regression)


@pytest.mark.parametrize("method", ["joint", "independent", "unified"])
def test_others_look_at_nobody(method: str) -> None:
    assert method_of(recipe(method)).anchor(WIDTHS) is None
    assert loss(output(1), method=method) == pytest.approx(loss(None))


@pytest.mark.parametrize(
    ("kind", "phases", "anchor", "one_network", "reconciles"),
    [
        (Sfsc, (WIDTHS,), 1.0, True, True),
        (Joint, (WIDTHS,), None, True, False),
        (Independent, (WIDTHS,), None, False, False),
        (Bct, ((0.25,), (0.5, 1.0)), 0.25, False, False),
        (Asymmetric, ((1.0,), (0.25, 0.5)), 1.0, False, False),
    ],
)
def test_the_order_of_training(kind: Any, phases: Any, anchor: Any, one_network: bool, reconciles: bool) -> None:
    method = kind(Recipe())
    assert method.phases(WIDTHS) == phases
    assert method.anchor(WIDTHS) == anchor
    assert (method.one_network, method.reconciles) == (one_network, reconciles)


@pytest.mark.parametrize("kind", [Bct, Asymmetric])
def test_a_single_width_has_a_single_phase(kind: Any) -> None:
    assert kind(Recipe()).phases((1.0,)) == ((1.0,),)


def test_uncertainty_is_told_for_every_width() -> None:
    told = Sfsc(recipe()).loss(output(), Target(IDENTITY, 0), None).uncertainty
    assert told == pytest.approx(evidence(output().cosines, 5).uncertainty.mean().item())


def test_without_prototypes_of_its_own_uncertainty_is_that_before_the_widest_ones() -> None:
    told = Asymmetric(recipe()).loss(output(), Target(IDENTITY, 0), output(1)).uncertainty
    seen = output().embedding @ output(1).prototypes.T
    assert told == pytest.approx(evidence(seen, 5).uncertainty.mean().item())


def test_priorities_are_equal_or_follow_uncertainty() -> None:
    assert priorities([0.2, 0.6], "equal") == [1, 1]
    assert priorities([0.2, 0.6], "uncertainty") == pytest.approx([0.5, 1.5])


@pytest.mark.parametrize("method", ["sfsc", "bct", "joint"])
@pytest.mark.parametrize("anchor", [None, output(1)])
def test_an_older_generation_adds_what_its_prototypes_say_to_the_loss_of_every_width(
    method: str, anchor: Output | None
) -> None:
    asked, old = recipe(method, old_generation=0.5), output(2).prototypes
    fitting = FittingOldGeneration(method_of(asked), asked, old).loss(output(), Target(IDENTITY, 0), anchor)
    free = method_of(asked).loss(output(), Target(IDENTITY, 0), anchor)
    judged = softmax(Output(output().embedding, old))
    assert fitting.value.item() == pytest.approx(free.value.item() + 0.5 * judged)
    assert fitting.uncertainty == free.uncertainty


def test_otherwise_it_is_trained_as_without_an_older_generation() -> None:
    asked = Recipe(method="bct")
    fitting, free = FittingOldGeneration(Bct(asked), asked, output().prototypes), Bct(asked)
    assert fitting.phases(WIDTHS) == free.phases(WIDTHS)
    assert fitting.anchor(WIDTHS) == free.anchor(WIDTHS)
    assert (fitting.one_network, fitting.reconciles) == (free.one_network, free.reconciles)
