"""Patterns of torsos, walls and floors; a torso shows its pattern from -1 to 1 both ways."""

import numpy as np

from sfsc_deploy.data.drawn.frame import Mask, Plane
from sfsc_deploy.data.drawn.shapes import Predicate


def nothing(x: Plane, _y: Plane) -> Mask:
    """No pattern at all."""
    return np.zeros(x.shape, np.bool_)


def bands(_x: Plane, y: Plane) -> Mask:
    """Stripes that lie."""
    return _odd(y * 2.5 + 0.5)


def columns(x: Plane, _y: Plane) -> Mask:
    """Stripes that stand."""
    return _odd(x * 2.5 + 0.5)


def slants(x: Plane, y: Plane) -> Mask:
    """Stripes that lean."""
    return _odd((x + y) * 2.0)


def checks(x: Plane, y: Plane) -> Mask:
    """A chessboard."""
    return _odd(x * 2.0) ^ _odd(y * 2.0)


def dots(x: Plane, y: Plane) -> Mask:
    """Dots in rows."""
    across, down = fraction(x * 1.5 + 0.5) - 0.5, fraction(y * 1.5 + 0.5) - 0.5
    return across * across + down * down <= 0.09


def ring(x: Plane, y: Plane) -> Mask:
    """A ring on the chest."""
    squared = x * x + y * y
    return (squared <= 0.6) & (squared >= 0.15)


def cross(x: Plane, y: Plane) -> Mask:
    """A cross from side to side."""
    return (abs(x) <= 0.22) | (abs(y) <= 0.22)


def sash(x: Plane, y: Plane) -> Mask:
    """A sash from a shoulder to the other hip."""
    return abs(x - y) <= 0.35


def lower_half(_x: Plane, y: Plane) -> Mask:
    """Everything below the middle."""
    return y >= 0.1


def bricks(x: Plane, y: Plane) -> Mask:
    """The joints of a brick wall."""
    along = x + np.floor(y * 1.5) * 0.5
    return (fraction(y * 1.5) <= 0.16) | (fraction(along) <= 0.1)


def fraction(cells: Plane) -> Plane:
    """Where in its cell a sample lies, 0 to 1; a cell is 1 wide."""
    return cells - np.floor(cells)


def _odd(cells: Plane) -> Mask:
    """Whether the cell that a sample lies in has an odd number."""
    return fraction(np.floor(cells) / 2) > 0.0


PATTERNS: tuple[Predicate, ...] = (
    nothing,
    bands,
    columns,
    slants,
    checks,
    dots,
    ring,
    cross,
    sash,
    lower_half,
)
