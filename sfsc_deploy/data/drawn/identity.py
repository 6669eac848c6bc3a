"""Who is drawn: little robots that come in teams.

The members of a team wear the same few colours, each arranged otherwise, on other shapes and with another
pattern. So the colours alone find the team; only who looks at the parts finds the member.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

from sfsc_deploy.data.drawn.chance import between, choose, shuffled
from sfsc_deploy.data.drawn.hats import HATS
from sfsc_deploy.data.drawn.patterns import PATTERNS
from sfsc_deploy.data.drawn.shapes import SHAPES, Predicate

Colour: TypeAlias = tuple[int, int, int]
Legs: TypeAlias = Literal["thin", "thick", "wheel", "skirt"]
Eyes: TypeAlias = Literal["two", "one", "visor"]

PAINTS: tuple[Colour, ...] = (
    (206, 52, 48),  # red
    (232, 128, 36),  # orange
    (240, 204, 60),  # yellow
    (84, 160, 72),  # green
    (52, 156, 160),  # teal
    (56, 96, 184),  # blue
    (124, 76, 164),  # purple
    (226, 130, 166),  # pink
    (236, 232, 220),  # white
    (128, 88, 60),  # brown
    (84, 88, 100),  # grey
)
LEGS: tuple[Legs, ...] = ("thin", "thick", "wheel", "skirt")
EYES: tuple[Eyes, ...] = ("two", "one", "visor")
COLOURS_OF_A_TEAM = 4


@dataclass(frozen=True)
class Identity:
    """What stays the same in every picture of one robot; lengths are in half heights of the robot."""

    head: Predicate
    hat: Predicate
    eyes: Eyes
    torso: Predicate
    pattern: Predicate
    legs: Legs
    head_paint: Colour
    torso_paint: Colour
    pattern_paint: Colour
    limb_paint: Colour
    hat_paint: Colour
    head_size: float
    girth: float


def identities(random: Random, teams: int, members: int) -> Iterator[Identity]:
    """Robots, team by team."""
    for _ in range(teams):
        team = shuffled(random, PAINTS)[:COLOURS_OF_A_TEAM]
        for _ in range(members):
            yield _member(random, team)


def _member(random: Random, team: Sequence[Colour]) -> Identity:
    first, second, third, fourth = shuffled(random, team)
    return Identity(
        head=choose(random, SHAPES),
        hat=choose(random, HATS),
        eyes=choose(random, EYES),
        torso=choose(random, SHAPES),
        pattern=choose(random, PATTERNS),
        legs=choose(random, LEGS),
        head_paint=first,
        torso_paint=second,
        pattern_paint=third,
        limb_paint=fourth,
        hat_paint=choose(random, (second, third)),
        head_size=between(random, 0.29, 0.37),
        girth=between(random, 0.44, 0.62),
    )
