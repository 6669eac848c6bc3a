"""A robot in a pose: which of its parts each sample of the frame shows."""

from dataclasses import dataclass
from enum import IntEnum
from random import Random
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.drawn.chance import between, choose
from sfsc_deploy.data.drawn.frame import Mask, Plane
from sfsc_deploy.data.drawn.identity import Colour, Eyes, Identity
from sfsc_deploy.data.drawn.shapes import disc

Parts: TypeAlias = NDArray[np.uint8]
"""The `Part` that each sample shows, uint8 [H, W]."""

INK: Colour = (28, 26, 32)


class Part(IntEnum):
    """What a sample shows; the number is its row in the table of `paints`."""

    NOTHING = 0
    OUTLINE = 1
    HEAD = 2
    TORSO = 3
    PATTERN = 4
    LIMB = 5
    HAT = 6


@dataclass(frozen=True)
class Pose:
    """What differs from picture to picture.

    In its own measure a robot stands from v = -1 (its hat) to v = 1 (its feet), with its middle at u = 0.

    Attributes:
        x, y: where its middle is in the frame.
        scale: half its height, in half frames.
        turn: how wide it looks, as it turns aside; negative: seen from the other side.
        lean: how far its head is aside of its middle.
        stride: how far its legs are apart.
        reach: how far one arm is raised aside, and the other held to the body.
    """

    x: float
    y: float
    scale: float
    turn: float
    lean: float
    stride: float
    reach: float

    @classmethod
    def by_chance(cls, random: Random, scale: float) -> "Pose":
        """Any pose, at about this scale."""
        return cls(
            x=between(random, -0.13, 0.13),
            y=between(random, -0.08, 0.1),
            scale=scale * between(random, 0.94, 1.08),
            turn=choose(random, (-1.0, 1.0)) * between(random, 0.78, 1.0),
            lean=between(random, -0.13, 0.13),
            stride=between(random, 0.0, 0.4),
            reach=between(random, -0.5, 0.7),
        )

    def to_robot(self, x: Plane, y: Plane) -> tuple[Plane, Plane]:
        """Frame coordinates in the measure of the robot, u and v."""
        v = (y - self.y) / self.scale
        u = ((x - self.x) / self.scale + self.lean * v) / self.turn
        return u, v


def paints(identity: Identity) -> NDArray[np.float64]:
    """The colour of each `Part`, float64 [7, 3], 0 to 255; the row of NOTHING is never looked at."""
    parts = (identity.head_paint, identity.torso_paint, identity.pattern_paint, identity.limb_paint)
    return np.array((INK, INK, *parts, identity.hat_paint), np.float64)


def draw(identity: Identity, pose: Pose, x: Plane, y: Plane) -> Parts:
    """The part of the robot that each sample (x, y) of the frame shows."""
    u, v = pose.to_robot(x, y)
    parts = np.zeros(x.shape, np.uint8)
    _draw_legs(parts, identity, pose.stride, u, v)
    _draw_arm(parts, identity, -pose.reach, -u, v)
    _draw_torso(parts, identity, u, v)
    _draw_arm(parts, identity, pose.reach, u, v)
    _draw_head(parts, identity, u, v)
    parts[_borders(parts)] = Part.OUTLINE
    return parts


def _draw_legs(parts: Parts, identity: Identity, stride: float, u: Plane, v: Plane) -> None:
    if identity.legs == "wheel":
        parts[disc(u / 0.3, (v - 0.72) / 0.28)] = Part.LIMB
        parts[disc(u / 0.1, (v - 0.72) / 0.1)] = Part.OUTLINE
    elif identity.legs == "skirt":
        parts[(v >= 0.4) & (v <= 0.98) & (abs(u) <= 0.08 + 0.5 * v)] = Part.LIMB
    else:
        thickness = 0.11 if identity.legs == "thin" else 0.19
        aside = abs(u) - 0.2 - stride * (v - 0.4)
        parts[(v >= 0.35) & (v <= 0.98) & (abs(aside) <= thickness)] = Part.LIMB


def _draw_arm(parts: Parts, identity: Identity, reach: float, u: Plane, v: Plane) -> None:
    aside = u - identity.girth * 0.9 - (0.3 + reach) * (v + 0.15)
    parts[(v >= -0.18) & (v <= 0.36) & (abs(aside) <= 0.1)] = Part.LIMB


def _draw_torso(parts: Parts, identity: Identity, u: Plane, v: Plane) -> None:
    across, down = u / identity.girth, (v - 0.12) / 0.4
    torso = identity.torso(across, down)
    parts[torso] = Part.TORSO
    parts[torso & identity.pattern(across, down)] = Part.PATTERN


def _draw_head(parts: Parts, identity: Identity, u: Plane, v: Plane) -> None:
    across, down = u / identity.head_size, (v + 0.22) / identity.head_size + 1.0
    parts[identity.hat(across, (down + 1.35) / 0.62)] = Part.HAT
    parts[identity.head(across, down)] = Part.HEAD
    parts[_eyes(identity.eyes, across, down)] = Part.OUTLINE


def _eyes(eyes: Eyes, across: Plane, down: Plane) -> Mask:
    if eyes == "visor":
        return (abs(across) <= 0.6) & (abs(down) <= 0.16)
    if eyes == "two":
        return disc((abs(across) - 0.36) / 0.2, down / 0.2)
    return disc(across / 0.3, down / 0.3)


def _borders(parts: Parts) -> Mask:
    """Samples beside another part: a thin line sets a robot off from a background of its own colour."""
    solid = np.where(parts == Part.PATTERN, np.uint8(Part.TORSO), parts)
    border = np.zeros(parts.shape, np.bool_)
    border[:, 1:] |= solid[:, 1:] != solid[:, :-1]
    border[1:, :] |= solid[1:, :] != solid[:-1, :]
    return border
