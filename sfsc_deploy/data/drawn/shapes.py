"""Shapes of heads and torsos; each fills about -1 to 1 both ways."""

from collections.abc import Callable
from typing import TypeAlias

from sfsc_deploy.data.drawn.frame import Mask, Plane

Predicate: TypeAlias = Callable[[Plane, Plane], Mask]
"""Says of the samples at (x, y) which are inside."""


def box(x: Plane, y: Plane) -> Mask:
    """A square."""
    return (abs(x) <= 0.95) & (abs(y) <= 0.95)


def disc(x: Plane, y: Plane) -> Mask:
    """The unit disc."""
    return x * x + y * y <= 1.0


def diamond(x: Plane, y: Plane) -> Mask:
    """A square on its tip."""
    return abs(x) + abs(y) <= 1.15


def bell(x: Plane, y: Plane) -> Mask:
    """Wide below."""
    return (abs(y) <= 0.95) & (abs(x) <= 0.75 + 0.35 * y)


def wedge(x: Plane, y: Plane) -> Mask:
    """Wide above."""
    return (abs(y) <= 0.95) & (abs(x) <= 0.75 - 0.35 * y)


def hexagon(x: Plane, y: Plane) -> Mask:
    """A hexagon with its tips aside."""
    return (abs(y) <= 0.95) & (abs(x) + 0.5 * abs(y) <= 1.1)


SHAPES: tuple[Predicate, ...] = (box, disc, diamond, bell, wedge, hexagon)
