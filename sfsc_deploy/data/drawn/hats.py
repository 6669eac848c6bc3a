"""What robots wear on their heads; y = 1 is where it sits on the head, x = -1 to 1 is the head's width."""

from sfsc_deploy.data.drawn.frame import Mask, Plane
from sfsc_deploy.data.drawn.patterns import fraction, nothing
from sfsc_deploy.data.drawn.shapes import Predicate


def aerial(x: Plane, y: Plane) -> Mask:
    """A rod with a ball on it."""
    return ((abs(x) <= 0.12) & (y >= -0.4) & (y <= 1.2)) | (x * x + (y + 0.5) * (y + 0.5) <= 0.2)


def cone(x: Plane, y: Plane) -> Mask:
    """A party hat."""
    return (abs(y) <= 1.0) & (abs(x) <= 0.45 + 0.45 * y)


def bowler(x: Plane, y: Plane) -> Mask:
    """A round hat with a brim."""
    return ((abs(x) <= 0.62) & (abs(y) <= 0.8)) | ((abs(x) <= 1.1) & (y >= 0.35) & (y <= 0.9))


def crown(x: Plane, y: Plane) -> Mask:
    """Three points."""
    return (abs(x) <= 0.9) & (y <= 1.0) & (y >= abs(fraction(x * 1.5) - 0.5) * 2.4 - 0.9)


def ears(x: Plane, y: Plane) -> Mask:
    """Two round ears."""
    away = abs(x) - 0.75
    return away * away * 3.0 + (y - 0.3) * (y - 0.3) <= 0.45


def horns(x: Plane, y: Plane) -> Mask:
    """Two horns, thin at the top."""
    away = abs(x) - 0.5 + 0.3 * y
    return (abs(away) <= 0.13 + 0.16 * y) & (y <= 1.2)


HATS: tuple[Predicate, ...] = (nothing, aerial, cone, bowler, crown, ears, horns)
