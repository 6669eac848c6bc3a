"""What is shown of the worst: rows far from their reference, and queries that no longer find."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A small image and what it is.

    Attributes:
        name: a file, or the place in the probe.
        png: encoded as PNG; at most `gathering.SIDE` pixels a side.
    """

    name: str
    png: bytes


@dataclass(frozen=True)
class WorstRow:
    """A row of the probe that lies far from its reference.

    Attributes:
        artifact: whose row it is, as the user named it.
        row: its place in the probe.
        cosine: to the reference.
        picture: what was embedded; None where it is not shown, so that a page of many artifacts stays small.
        name: what it is.
    """

    artifact: str
    row: int
    cosine: float
    name: str
    picture: Picture | None

    def to_json(self) -> dict[str, Any]:
        """As plain types, without the picture."""
        return {"artifact": self.artifact, "row": self.row, "cosine": self.cosine, "image": self.name}


@dataclass(frozen=True)
class Found:
    """A gallery image, and whether it shows the identity of the query."""

    picture: Picture
    right: bool


@dataclass(frozen=True)
class LostQuery:
    """A query whose first match fell back.

    Attributes:
        query: what was searched for.
        rank_before: of its first match in the self-test of the weaker side.
        rank_now: in the cross-test.
        found_before: what came first in that self-test.
        found_now: what comes first in the cross-test.
    """

    query: Picture
    rank_before: int
    rank_now: int
    found_before: Found
    found_now: Found

    def to_json(self) -> dict[str, Any]:
        """As plain types, without the pictures."""
        return {
            "query": self.query.name,
            "rank_before": self.rank_before,
            "rank_now": self.rank_now,
            "found_before": self.found_before.picture.name,
            "found_now": self.found_now.picture.name,
        }


@dataclass(frozen=True)
class Exhibits:
    """What is shown of a fleet.

    Attributes:
        rows: of each artifact the few rows with the least cosines, the least first.
        pair: what embeds query and gallery where queries lost most; None where no pair was measured.
        weaker: the side of the pair whose self-test they are compared with.
        lost: of that pair the few queries that fell back furthest; empty where none did.
    """

    rows: tuple[WorstRow, ...] = ()
    pair: tuple[str, str] | None = None
    weaker: str | None = None
    lost: tuple[LostQuery, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain types, without the pictures."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "pair": None if self.pair is None else list(self.pair),
            "weaker": self.weaker,
            "lost": [query.to_json() for query in self.lost],
        }
