"""What is to be exported, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from profiles.schema import Profile
from sfsc_deploy.artifact import Sidecar
from sfsc_deploy.probe import Probe

AUTO = "auto"
"""The precision of a task that leaves it open."""


@dataclass(frozen=True)
class ExportTask:
    """Artifacts for some profiles, from one run."""

    run: Path | None
    """The run folder; None: the latest."""
    profiles: tuple[Profile, ...]
    out: Path = Path("dist")
    width: float | None = None
    """One that was not trained is recalibrated on images; None: for each profile the largest trained one that it
    affords."""
    precision: str | None = None
    """``auto``: for each profile the quickest that keeps its artifact compatible; None: for each profile its own."""
    calibration: Path | None = None
    """Images that tell int8 its ranges, and batch norms their statistics; None: the run's training images."""
    probe: Path | None = None
    """Labelled images to make the probe of; None: the run's own probe."""
    overwrite: bool = False
    skip_unavailable: bool = False
    """Pass over a profile whose format this version can't write, rather than refuse."""
    require_engine: bool = False
    """Refuse to leave an engine to be built on its device."""
    named: tuple[str, ...] = ()
    """What the user called the profiles, names and files; empty: by their names."""


@dataclass(frozen=True)
class Wanted:
    """A sub-model for a device.

    Attributes:
        profile: with the precision that is wanted.
        width: width multiplier.
        spared: layers that int8 leaves alone, by the names of their weights.
        precision: as it will be read back from the file, where layers differ; None: the profile's.
    """

    profile: Profile
    width: float
    spared: tuple[str, ...] = ()
    precision: str | None = None


@dataclass(frozen=True)
class Judgement:
    """Whether an artifact may be let into its fleet, and the figures that say so."""

    passed: bool
    why: str


Gate = Callable[[Path, Probe, float, str], Judgement]
"""From a model file, its probe, its width and its precision to whether it passes."""


@dataclass(frozen=True)
class Exported:
    """One artifact that was written."""

    profile: Profile
    file: Path
    """The model file: for a profile whose artifact is yet to be built, what it is built from."""
    sidecar: Sidecar
    kit: Path | None = None
    """All that the device needs to build it, where that is yet to be done."""


@dataclass(frozen=True)
class Unavailable:
    """A profile whose format this version can't write."""

    profile: Profile
    why: str
