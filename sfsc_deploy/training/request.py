"""What a training run is asked for, and whom it tells how it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sfsc_deploy.evaluation import Evaluation
    from trainer.initial import Fit


@dataclass(frozen=True)
class TrainRequest:
    """A training run as the user asks for it."""

    data: Path | None = None
    """Folder or manifest; None: the embedded data set."""
    recipe: Path | None = None
    """TOML file with settings of ``trainer.recipe.Recipe``; None: its defaults."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Single settings that go before those of the file."""
    out: Path | None = None
    """The run folder; None: the next free number under ``runs/``."""
    compatible_with: Path | None = None
    """Run folder of an older generation whose galleries must still be found in; None: there is none."""
    resume: Path | None = None
    """An interrupted run folder to go on with."""
    skip_unreadable: bool = False
    workers: int | None = None
    """Threads that decode images during training; 0: all are decoded before, and kept in memory; None: 0 where they
    take no more than `images.IN_MEMORY`, else one a core. No part of the recipe: the result doesn't depend on it."""
    becomes_latest: bool = True
    """Whether ``runs/latest`` is to point at the run once it has finished."""
    evaluate_every: int = 0
    """Measure the cross-test matrix every so many epochs; 0: at the end alone."""


@dataclass(frozen=True)
class Plan:
    """What is about to be trained."""

    folder: Path
    data: str
    images: int
    identities: int
    skipped: int
    """Images that can't be read and were left out, as asked."""
    arch: str
    widths: tuple[float, ...]
    parameters: int
    """Of all that is trained."""
    device: str
    epochs: int
    steps: int
    """Of the whole run."""
    steps_done: int
    """More than 0 where a run is resumed."""
    inherits: Path | None = None
    """The older generation with whose weights the run begins; None where it doesn't."""
    initial: "Fit | None" = None
    """How the weights that the run begins with fit; None: it begins with random ones, or is resumed."""
    warnings: tuple[str, ...] = ()
    """What makes a poor model likely although nothing is wrong, each with its remedy."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: tuple[float | None, ...]
    """Of each width, ascending; None for one that isn't trained now."""
    uncertainty: tuple[float | None, ...]
    """Mean u of each width; None as for the loss."""
    conflicting: float
    """Share of pairs of gradients, over all tensors, with a negative inner product."""
    images_per_second: float
    seconds_left: float


class Listener(Protocol):
    """Hears how a run goes."""

    def started(self, plan: Plan) -> None:
        """The run is about to take its first step."""

    def stepped(self, progress: Progress) -> None:
        """A step is done."""

    def evaluated(self, epoch: int, evaluation: "Evaluation") -> None:
        """The cross-test matrix was measured after an epoch."""
