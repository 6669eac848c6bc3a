"""All runs of a comparison together: means over seeds, and how sure they are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.comparing.outcome import Outcome
from sfsc_deploy.comparing.request import Contender
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Figure:
    """A mean over seeds."""

    mean: float
    error: float | None
    """Standard error of the mean; None of a single seed."""

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Of one value a seed."""
        count = len(values)
        error = float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else None
        return cls(float(np.mean(values)), error)


@dataclass(frozen=True)
class Standing:
    """What a contender reached."""

    contender: Contender
    outcomes: tuple[Outcome, ...]
    """One a seed, ascending."""

    @property
    def widths(self) -> tuple[float, ...]:
        """Of its models."""
        return self.outcomes[0].widths

    @property
    def matrix(self) -> NDArray[np.float64]:
        """mAP, mean over seeds: ``[widths, widths]``, queries by gallery."""
        mean: NDArray[np.float64] = np.stack([outcome.matrix for outcome in self.outcomes]).mean(axis=0)
        return mean

    @property
    def mean(self) -> Figure:
        """Of the whole matrix."""
        return self._figure(lambda outcome: outcome.mean)

    @property
    def narrow_on_wide(self) -> Figure:
        """The narrowest model's queries on the widest one's gallery."""
        return self._figure(lambda outcome: outcome.narrow_on_wide)

    @property
    def worst(self) -> Figure | None:
        """Of the worst cell of each seed; None of a single width."""
        found = [outcome.worst for outcome in self.outcomes if outcome.worst is not None]
        return Figure.of(found) if found else None

    @property
    def violations(self) -> int:
        """Cells of all seeds that miss the criterion."""
        return sum(outcome.violations for outcome in self.outcomes)

    @property
    def cells(self) -> int:
        """Pairs of different widths, of all seeds."""
        return len(self.outcomes) * len(self.widths) * (len(self.widths) - 1)

    @property
    def parameters(self) -> int:
        """Of all networks that had to be trained."""
        return self.outcomes[0].parameters

    @property
    def seconds(self) -> float:
        """Of training, mean over seeds."""
        return self._figure(lambda outcome: outcome.seconds).mean

    def lead_over(self, other: "Standing") -> Figure:
        """By how much the mean of the matrix is larger than another one's, seed by seed.

        Seeds decide about initial weights and batches of all contenders alike, so that their differences vary less than
        what each reaches.
        """
        pairs = zip(self.outcomes, other.outcomes, strict=True)
        return Figure.of([own.mean - theirs.mean for own, theirs in pairs])

    def _figure(self, of: Callable[[Outcome], float]) -> Figure:
        return Figure.of([of(outcome) for outcome in self.outcomes])


@dataclass(frozen=True)
class Comparison:
    """Contenders with their outcomes."""

    data: str
    """Name of the data set."""
    recipe: Recipe
    """Of the first contender and seed: what is not its own, all have in common."""
    contenders: tuple[Contender, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def standings(self) -> tuple[Standing, ...]:
        """In the order in which the contenders were named."""
        by_seed = sorted(self.outcomes, key=lambda outcome: outcome.seed)
        return tuple(
            Standing(each, tuple(outcome for outcome in by_seed if outcome.method == each.name))
            for each in self.contenders
        )

    @property
    def seeds(self) -> int:
        """How many each contender was trained with."""
        return len({outcome.seed for outcome in self.outcomes})

    def to_json(self) -> dict[str, Any]:
        """As plain types."""
        return {
            "data": self.data,
            "seeds": self.seeds,
            "recipe": self.recipe.model_dump(mode="json"),
            "methods": [_plain(standing, self.standings[0]) for standing in self.standings],
        }


def _plain(standing: Standing, first: Standing) -> dict[str, Any]:
    return {
        "name": standing.contender.name,
        "what": standing.contender.what,
        "widths": list(standing.widths),
        "map": standing.matrix.tolist(),
        "mean": vars(standing.mean),
        "lead_of_first": None if standing.contender == first.contender else vars(first.lead_over(standing)),
        "narrow_on_wide": vars(standing.narrow_on_wide),
        "worst": None if standing.worst is None else vars(standing.worst),
        "violations": standing.violations,
        "cells": standing.cells,
        "parameters": standing.parameters,
        "seconds": standing.seconds,
        "runs": [outcome.model_dump(mode="json") for outcome in standing.outcomes],
    }
