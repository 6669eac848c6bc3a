"""What is to be exported, and what came of it."""

from dataclasses import dataclass
from pathlib import Path

from profiles.schema import Profile
from sfsc_deploy.artifact import Sidecar


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
