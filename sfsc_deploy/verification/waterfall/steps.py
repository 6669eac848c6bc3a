"""What a waterfall says: the steps on the way of an embedding from its reference to the device."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

STEPS: Mapping[str, str] = MappingProxyType(
    {
        "reference": "what the probe stores, then the supernet switched to the width and run here",
        "slicing": "the switched supernet, then the sub-model taken out of it",
        "folding": "the sub-model, then with its batch norms folded",
        "export": "the folded sub-model in torch, then a float32 file of it",
        "precision": "the float32 file, then the artifact in its own precision",
        "backend": "the artifact run plainly, then by what runs it",
        "decode-resize": "the probe's resized images, then its raw ones decoded and resized by the machine itself",
    }
)
"""The steps in their order, and what each compares; the names are stable, because reports rely on them."""


@dataclass(frozen=True)
class Figures:
    """How embeddings of the probe differ from earlier ones on the way.

    Attributes:
        min_cosine: least cosine of a row to the same row before.
        p1_cosine: first percentile of these cosines.
        median_cosine: their median.
        max_difference: largest absolute difference of a component.
        map_change: of the self-test's mAP on the probe, a share of 1; None where no query has a match.
    """

    min_cosine: float
    p1_cosine: float
    median_cosine: float
    max_difference: float
    map_change: float | None


@dataclass(frozen=True)
class Step:
    """One step, or several that could not be told apart.

    Attributes:
        covers: names of `STEPS`, in their order.
        change: against what came before; None where it was not measured.
        total: against the reference, all steps up to this one together; None where it was not measured.
        why: what was compared, or why nothing was.
        command: what measures it, where it was not.
    """

    covers: tuple[str, ...]
    change: Figures | None
    total: Figures | None
    why: str
    command: str | None = None

    @property
    def name(self) -> str:
        """Its own, or "first to last"."""
        return self.covers[0] if len(self.covers) == 1 else f"{self.covers[0]} to {self.covers[-1]}"

    def to_json(self) -> dict[str, Any]:
        """As plain types."""
        return {
            "name": self.name,
            "covers": list(self.covers),
            "change": _plain(self.change),
            "total": _plain(self.total),
            "why": self.why,
            "command": self.command,
        }


@dataclass(frozen=True)
class Waterfall:
    """The way of one artifact's embeddings of the probe; `artifact` is named as the user named it."""

    artifact: str
    steps: tuple[Step, ...]

    @property
    def measured(self) -> tuple[Step, ...]:
        """The steps that have figures."""
        return tuple(step for step in self.steps if step.change is not None)

    @property
    def steepest(self) -> Step | None:
        """The step that takes most of the cosine of some row; None where nothing was measured."""
        return min(self.measured, key=_least_cosine, default=None)

    def to_json(self) -> dict[str, Any]:
        """As plain types."""
        return {"artifact": self.artifact, "steps": [step.to_json() for step in self.steps]}


def _least_cosine(step: Step) -> float:
    assert step.change is not None
    return step.change.min_cosine


def _plain(figures: Figures | None) -> dict[str, float | None] | None:
    if figures is None:
        return None
    found = {part.name: getattr(figures, part.name) for part in fields(figures)}
    return {name: value if value is not None and math.isfinite(value) else None for name, value in found.items()}
