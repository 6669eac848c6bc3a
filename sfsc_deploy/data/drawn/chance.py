"""Chance that falls alike everywhere: of `random.Random`, only `random()` is promised never to change."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Item = TypeVar("Item")


def below(random: Random, limit: int) -> int:
    """A whole number from 0 to `limit` - 1."""
    return int(random.random() * limit)


def between(random: Random, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    return low + (high - low) * random.random()


def choose(random: Random, items: Sequence[Item]) -> Item:
    """One of the items."""
    return items[below(random, len(items))]


def shuffled(random: Random, items: Sequence[Item]) -> tuple[Item, ...]:
    """The items in another order."""
    keys = [random.random() for _ in items]
    return tuple(items[place] for place in sorted(range(len(items)), key=keys.__getitem__))
