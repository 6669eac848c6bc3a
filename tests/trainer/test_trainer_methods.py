"""What each width is trained for."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from trainer.losses import evidence, expected_cross_entropy, misleading_evidence, softmax_loss
from trainer.methods import Output, Sfsc, Target, priorities
from trainer.recipe import Recipe

IDENTITY = torch.tensor([0, 2, 1])


def output(seed: int = 0) -> Output:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(3, 6, generator=generator))
    return Output(embedding, embedding[:, :4].contiguous())


def recipe(**settings: Any) -> Recipe:
    plain = {"kl_weight": 0, "distillation": 0, "evidence_scale": 5}
    return Recipe.model_validate({"compatibility": plain | settings})


def loss(teacher: torch.Tensor | None, *, progress: float = 0.0, **settings: Any) -> float:
    return Sfsc(recipe(**settings)).loss(output(), Target(IDENTITY, progress), teacher).value.item()


def test_the_widest_learns_by_softmax_alone() -> None:
    expected = softmax_loss(output().cosines, IDENTITY, Recipe().softmax_scale).item()
    assert loss(None, kl_weight=1, distillation=1, progress=1) == pytest.approx(expected)


def test_a_narrow_one_learns_from_its_evidence_or_by_the_plain_loss_of_the_widest() -> None:
    teacher = output(1).embedding
    assert loss(teacher) == pytest.approx(expected_cross_entropy(evidence(output().cosines, 5), IDENTITY).item())
    assert loss(teacher, loss="plain") == pytest.approx(loss(None))


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_misleading_evidence_counts_more_as_training_goes_on(progress: float) -> None:
    teacher = output(1).embedding
    misleading = misleading_evidence(evidence(output().cosines, 5), IDENTITY).item()
    assert loss(teacher, kl_weight=0.3, progress=progress) == pytest.approx(loss(teacher) + 0.3 * progress * misleading)


def test_a_narrow_one_is_drawn_to_the_widest() -> None:
    own = output().embedding
    assert loss(own, distillation=2) == pytest.approx(loss(own), abs=1e-6)
    assert loss(-own, distillation=2) == pytest.approx(loss(own) + 2 * 2, abs=1e-6)


def test_uncertainty_is_told_for_every_width() -> None:
    told = Sfsc(recipe()).loss(output(), Target(IDENTITY, 0), None).uncertainty
    assert told == pytest.approx(evidence(output().cosines, 5).uncertainty.mean().item())


def test_priorities_are_equal_or_follow_uncertainty() -> None:
    assert priorities([0.2, 0.6], "equal") == [1, 1]
    assert priorities([0.2, 0.6], "uncertainty") == pytest.approx([0.5, 1.5])
