"""Heads of their own: what each width computes, learns and hands on."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from tiny_supernet import DIM, flat_colours, tiny_architecture, tiny_recipe
from trainer.head import HeadOfEachWidth
from trainer.loop import Training
from trainer.networks import build
from trainer.supernet import Supernet

WIDTHS = (0.25, 0.5, 1.0)
FEATURES = 8


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


def layers(head: HeadOfEachWidth) -> list[nn.Linear]:
    return [layer for layer in head.layers if isinstance(layer, nn.Linear)]


def test_all_begin_as_slices_of_one() -> None:
    narrow, middle, wide = (layer.weight for layer in layers(HeadOfEachWidth(FEATURES, DIM, WIDTHS)))
    assert wide.shape == (DIM, FEATURES)
    assert torch.equal(narrow, wide[:, :2])
    assert torch.equal(middle, wide[:, :4])


@pytest.mark.parametrize("place", range(len(WIDTHS)))
def test_a_width_computes_and_learns_with_its_own(place: int) -> None:
    head = HeadOfEachWidth(FEATURES, DIM, WIDTHS)
    head.width = WIDTHS[place]
    features = torch.randn(3, round(FEATURES * head.width))
    embedding = head(features)
    assert torch.equal(embedding, features @ layers(head)[place].weight.T)
    embedding.sum().backward()
    assert [layer.weight.grad is not None for layer in layers(head)] == [k == place for k in range(len(WIDTHS))]


def test_what_it_hands_on_is_a_copy() -> None:
    head = HeadOfEachWidth(FEATURES, DIM, WIDTHS)
    plain = head.plain(0.5)
    assert isinstance(plain, nn.Linear)
    nn.init.zeros_(plain.weight)
    assert layers(head)[1].weight.any()


@pytest.mark.parametrize(("width", "wider"), [(0.125, 0), (0.375, 1), (0.75, 2)])
def test_a_width_that_was_not_trained_takes_the_leading_columns_of_the_next_wider(width: float, wider: int) -> None:
    head = HeadOfEachWidth(FEATURES, DIM, WIDTHS)
    for layer in layers(head):
        nn.init.normal_(layer.weight)
    plain = head.plain(width)
    assert isinstance(plain, nn.Linear)
    assert torch.equal(plain.weight, layers(head)[wider].weight[:, : round(FEATURES * width)])


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ({}, True),
        ({"compatibility": {"head": "all"}}, False),
        ({"method": "joint"}, False),
        ({"method": "bct"}, False),
        ({"method": "unified"}, False),
    ],
)
def test_a_recipe_says_whether_widths_have_their_own(settings: dict[str, Any], own: bool) -> None:
    networks = build(tiny_recipe(**settings), 4)
    assert isinstance(networks.of(networks.widths[0]).net.head, HeadOfEachWidth) is own


@pytest.mark.parametrize("conflict", ["shared", "none"])
def test_in_training_each_learns_what_its_own_width_is_taught(conflict: str) -> None:
    """The optimiser sees gradients of heads whether or not those of shared tensors are reconciled."""
    training = Training(tiny_recipe(compatibility={"conflict": conflict}), flat_colours())
    assert isinstance(training.networks, Supernet)
    head = training.networks.net.head
    assert isinstance(head, HeadOfEachWidth)
    before = [layer.weight.detach().clone() for layer in layers(head)]
    training.step(training.batches.epoch(0)[0])
    moved = [layer.weight.detach() - old for layer, old in zip(layers(head), before, strict=True)]
    assert all(change.any() for change in moved)
    assert not torch.equal(moved[0], moved[1][:, : moved[0].shape[1]])
