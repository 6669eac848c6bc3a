"""Who teaches the head of the embedding: the widest width alone, or all."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tiny_supernet import DIM, flat_colours, tiny_architecture, tiny_recipe
from trainer.head import WidestHead
from trainer.loop import Training
from trainer.networks import build
from trainer.slimmable import SlimmableLinear
from trainer.supernet import Supernet

WIDTHS = (0.25, 0.5, 1.0)


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


def heads() -> tuple[WidestHead, SlimmableLinear]:
    """With the same weights."""
    followed, shared = WidestHead(8, DIM), SlimmableLinear(8, DIM)
    followed.load_state_dict(shared.state_dict())
    return followed, shared


@pytest.mark.parametrize("width", WIDTHS)
def test_it_computes_what_a_shared_head_does(width: float) -> None:
    followed, shared = heads()
    followed.width = shared.width = width
    features = torch.randn(3, round(8 * width))
    assert torch.equal(followed(features), shared(features))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_widest_alone_changes_it_but_all_learn_through_it(width: float) -> None:
    followed, shared = heads()
    followed.width = shared.width = width
    learnt = [gradients(head, round(8 * width)) for head in (followed, shared)]
    assert torch.equal(learnt[0][0], learnt[1][0])
    assert (learnt[0][1] is None) is (width < 1)


def gradients(head: SlimmableLinear, inputs: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Of the features and of the head."""
    features = torch.ones(2, inputs, requires_grad=True)
    head(features).square().sum().backward()
    assert features.grad is not None
    return features.grad, head.weight.grad


@pytest.mark.parametrize(
    ("settings", "follows"),
    [
        ({}, False),
        ({"compatibility": {"head": "widest"}}, True),
        ({"method": "joint", "compatibility": {"head": "widest"}}, False),
        ({"method": "bct", "compatibility": {"head": "widest"}}, False),
    ],
)
def test_a_recipe_says_who_teaches_it(settings: dict[str, Any], follows: bool) -> None:
    networks = build(tiny_recipe(**settings), 4)
    assert isinstance(networks.of(networks.widths[0]).net.head, WidestHead) is follows


@pytest.mark.parametrize(("taught_by", "moved"), [("widest", False), ("all", True)])
@pytest.mark.parametrize("conflict", ["shared", "none"])
def test_in_training_a_narrow_width_leaves_it_alone(taught_by: str, moved: bool, conflict: str) -> None:
    """Seen in a step for which the widest has nothing to learn."""
    training = Training(tiny_recipe(compatibility={"head": taught_by, "conflict": conflict}), flat_colours())
    assert isinstance(training.networks, Supernet)
    head = training.networks.net.head
    before = head.weight.detach().clone()
    train_narrow_alone(training)
    assert torch.equal(head.weight, before) is not moved


def train_narrow_alone(training: Training) -> None:
    inner = training._output

    def silenced(images: torch.Tensor, width: float) -> Any:
        output = inner(images, width)
        return output if width < 1 else type(output)(output.embedding.detach(), output.prototypes)

    training._output = silenced
    for group in training._optimiser.param_groups:
        group["weight_decay"] = 0.0
    training.step(next(iter(training.batches.epoch(0))))
