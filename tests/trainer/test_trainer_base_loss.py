"""The base losses against formulas written out here, and their gradients against differences."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.base_loss import base_loss
from trainer.losses import asymmetric_loss
from trainer.recipe import BaseLoss

SCALE = 16.0
IDENTITY = torch.tensor([0, 0, 1, 1, 2, 2])
NAMES: tuple[BaseLoss, ...] = ("softmax", "arcface", "cosface", "triplet", "circle")


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(6, 5, generator=generator, dtype=torch.float64))
    prototypes = F.normalize(torch.randn(4, 5, generator=generator, dtype=torch.float64))
    return embedding, embedding @ prototypes.T


def cross_entropy(logits: list[list[float]]) -> float:
    rows = [math.log(sum(math.exp(x) for x in row)) - row[y] for row, y in zip(logits, IDENTITY.tolist(), strict=True)]
    return sum(rows) / len(rows)


def with_margin(cosines: Tensor, changed: Callable[[float], float]) -> float:
    rows = zip(cosines.tolist(), IDENTITY.tolist(), strict=True)
    return cross_entropy([[SCALE * (changed(c) if k == y else c) for k, c in enumerate(row)] for row, y in rows])


def pairs(embedding: Tensor) -> list[tuple[int, list[float], list[float]]]:
    """Of every image: the cosines to others of its identity, and to those of other identities."""
    found = []
    for i, y in enumerate(IDENTITY.tolist()):
        cosines = (embedding @ embedding[i]).tolist()
        same = [c for j, c in enumerate(cosines) if IDENTITY[j] == y and j != i]
        found.append((i, same, [c for j, c in enumerate(cosines) if IDENTITY[j] != y]))
    return found


def triplet(embedding: Tensor) -> float:
    losses = [max(0.0, max(other) - min(same) + 0.3) for _, same, other in pairs(embedding)]
    return sum(losses) / len(losses)


def circle(embedding: Tensor, m: float = 0.25, gamma: float = 128) -> float:
    def term(same: list[float], other: list[float]) -> float:
        negative = sum(math.exp(gamma * max(0.0, s + m) * (s - m)) for s in other)
        positive = sum(math.exp(-gamma * max(0.0, 1 + m - s) * (s - (1 - m))) for s in same)
        return math.log1p(negative * positive)

    losses = [term(same, other) for _, same, other in pairs(embedding)]
    return sum(losses) / len(losses)


def expected(name: BaseLoss, embedding: Tensor, cosines: Tensor) -> float:
    softmax = with_margin(cosines, lambda c: c)
    return {
        "softmax": lambda: softmax,
        "arcface": lambda: with_margin(cosines, lambda c: math.cos(math.acos(c) + math.radians(28.6))),
        "cosface": lambda: with_margin(cosines, lambda c: c - 0.35),
        "triplet": lambda: softmax + triplet(embedding),
        "circle": lambda: softmax + circle(embedding),
    }[name]()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_the_formula(name: BaseLoss, seed: int) -> None:
    embedding, cosines = batch(seed)
    value = base_loss(name)(embedding, cosines, IDENTITY, SCALE).item()
    assert value == pytest.approx(expected(name, embedding, cosines), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_the_embedding_even_where_it_is_its_prototype(name: BaseLoss) -> None:
    prototypes = torch.eye(5)[:3]
    embedding = prototypes[IDENTITY].clone().requires_grad_()
    loss = base_loss(name)(embedding, embedding @ prototypes.T, IDENTITY, SCALE)
    (gradient,) = torch.autograd.grad(loss, embedding)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_the_asymmetric_loss_pairs_a_batch_with_the_other_model() -> None:
    mine, theirs = batch(0)[0], batch(1)[0]
    squared = torch.cdist(mine, theirs).square()
    same = IDENTITY[:, None] == IDENTITY
    apart = (0.7 - squared[~same]).clamp(min=0)
    wrong = apart[apart > 0].mean() if (apart > 0).any() else torch.tensor(0.0)
    expected = squared[same].mean() + wrong  # the image itself is among the pairs of its identity
    assert asymmetric_loss(mine, theirs, IDENTITY).item() == pytest.approx(expected.item())
