"""What verification says: findings, checks, the cross-test matrix, and the verdict that follows from them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from sfsc_deploy.metrics import Interval
from sfsc_deploy.runtime.embedder import STAND_IN
from sfsc_deploy.verification.exhibits.contents import Exhibits
from sfsc_deploy.verification.waterfall.steps import Waterfall

CHECKS = (
    "readable",
    "intact",
    "built",
    "space",
    "input-contract",
    "precision",
    "finite",
    "norm",
    "collapse",
    "fidelity",
    "batch-invariance",
    "preprocessing",
    "rows",
    "own-row",
    "criterion",
    "operating-point",
    "upgrade",
    "top-k",
)
"""The names of the checks in their order; stable, because reports and pipelines rely on them."""

ON_PAIRS = ("own-row", "criterion", "operating-point", "upgrade")
"""Those that are made on pairs."""

ON_REQUEST = frozenset({"rows", "own-row", "operating-point", "upgrade"})
"""Checks that are made only where they are asked for."""

Number = float | int
Details = Mapping[str, Number | str | tuple[float, ...]]


class Status(Enum):
    """What is known: it holds, it doesn't, or it could not be told here."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNVERIFIED = "UNVERIFIED"

    @property
    def exit_status(self) -> int:
        """Of a command that ends with this: 0, 1 or 3 (2 is wrong use)."""
        return {Status.PASS: 0, Status.FAIL: 1, Status.UNVERIFIED: 3}[self]


def worst(statuses: Iterable[Status]) -> Status:
    """FAIL if any is, else UNVERIFIED if any is, else PASS; nothing checked at all is UNVERIFIED."""
    found = set(statuses)
    for status in (Status.FAIL, Status.UNVERIFIED, Status.PASS):
        if status in found:
            return status
    return Status.UNVERIFIED


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        status: whether it holds.
        why: what was measured or seen, in sentences.
        value: the measured figure, where there is one.
        threshold: what `value` is compared with.
        command: where it could not be told here, what tells it or makes it possible.
        details: further figures by name.
    """

    status: Status
    why: str
    value: Number | str | None = None
    threshold: Number | str | None = None
    command: str | None = None
    details: Details = field(default_factory=dict)


def passed(why: str) -> Finding:
    """It holds, without a figure."""
    return Finding(status=Status.PASS, why=why)


def failed(why: str) -> Finding:
    """It doesn't hold, without a figure."""
    return Finding(status=Status.FAIL, why=why)


def unverified(why: str, command: str | None = None) -> Finding:
    """It could not be told here."""
    return Finding(status=Status.UNVERIFIED, why=why, command=command)


def measured(
    holds: bool,
    why: str,
    value: Number | str,
    threshold: Number | str,
    details: Details | None = None,
) -> Finding:
    """It was compared with a threshold."""
    status = Status.PASS if holds else Status.FAIL
    return Finding(status=status, why=why, value=value, threshold=threshold, details=details or {})


def not_reached(name: str, finding: Finding) -> Finding:
    """It makes no sense because the check called `name` found something else than PASS."""
    state = "failed" if finding.status is Status.FAIL else "could not be told"
    return unverified(f"Not reached, because {name} {state}: {finding.why}", finding.command)


@dataclass(frozen=True, kw_only=True)
class Check(Finding):
    """A finding with its place.

    Attributes:
        name: one of `CHECKS`.
        subject: what was checked, as the user named it; of a pair, what embeds the queries.
        gallery: of a pair, what embeds the gallery.
    """

    name: str
    subject: str
    gallery: str | None = None

    @classmethod
    def of(cls, name: str, subject: str, finding: Finding, gallery: str | None = None) -> "Check":
        """`finding` at its place."""
        found = {part.name: getattr(finding, part.name) for part in fields(Finding)}
        return cls(name=name, subject=subject, gallery=gallery, **found)

    def concerns(self, subject: str) -> bool:
        """Whether `subject` is what was checked, or one of the pair."""
        return subject in (self.subject, self.gallery)

    def to_json(self) -> dict[str, Any]:
        """As plain types; NaN and infinity become null."""
        plain = {part.name: _plain(getattr(self, part.name)) for part in fields(self)}
        return {"name": plain.pop("name"), "subject": plain.pop("subject"), **plain}


def closest_call(checks: Iterable[Check]) -> Check | None:
    """Of the criterion on pairs, where it is met least; None where no pair was measured."""
    judged = [check for check in checks if check.name == "criterion" and isinstance(check.value, float)]
    return min(judged, key=room, default=None)


def room(check: Check) -> tuple[bool, float]:
    """How well a check is met whose value should be large: failures come first, then those nearest to their limit."""
    value, limit = (float(number) if isinstance(number, float) else 0.0 for number in (check.value, check.threshold))
    return check.status is not Status.FAIL, value - limit


@dataclass(frozen=True)
class Cell:
    """One cross-test, or self-test where query and gallery are one.

    Attributes:
        query: what embedded the queries, as the user named it.
        gallery: what embedded the gallery.
        map: mean average precision, 0 to 1.
        rank1: share of the queries whose first image is a match, 0 to 1.
        map_ci95: 95 % interval of `map`; None with fewer than two identities.
        queries: how many were counted.
    """

    query: str
    gallery: str
    map: float
    rank1: float
    map_ci95: Interval | None
    queries: int

    def to_json(self) -> dict[str, Any]:
        """As plain types."""
        interval = None if self.map_ci95 is None else [self.map_ci95.low, self.map_ci95.high]
        return {part.name: getattr(self, part.name) for part in fields(self)} | {"map_ci95": interval}


@dataclass(frozen=True)
class Artifact:
    """What was verified.

    Attributes:
        name: as the user named it.
        kind: what it is, e.g. "onnx" or "run".
        space: id of its embedding space; None where it is not known.
        width: width multiplier of its sub-model; None where it is not known.
        precision: of the numbers inside; None where it is not known.
        backend: what ran it, with version; None where it was not run.
        probe: the probe that it was tried on; None where there was none.
        profile: name of the device's profile; None where it is not known, or of a run.
    """

    name: str
    kind: str
    space: str | None
    width: float | None
    precision: str | None
    backend: str | None
    probe: str | None
    profile: str | None = None

    @property
    def stand_in(self) -> str | None:
        """What ran it in place of the software of its device, here or where it was recorded; None where nothing did."""
        return STAND_IN if (self.backend or "").startswith(STAND_IN) else None

    def to_json(self) -> dict[str, Any]:
        """As plain types."""
        return vars(self) | {"stand_in": self.stand_in}


@dataclass(frozen=True)
class PolicySource:
    """Where thresholds came from that aren't the default ones.

    Attributes:
        file: as the user named it.
        sha256: of its content, in hex.
        looser: each threshold that lets more pass than the default one, in words.
    """

    file: str
    sha256: str
    looser: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """All that was found about a fleet.

    Attributes:
        artifacts: what was verified, in the order given.
        checks: everything that was checked, and everything that could not be, artifact by artifact.
        matrix: the cross-tests that could be measured.
        images: what the matrix was measured on, e.g. "probe dist/probe.safetensors"; None where it was not.
        policy: the policy whose thresholds were kept; None: the default ones.
        waterfalls: where a loss comes from, of each artifact that could be run on its probe.
        exhibits: the images behind the worst figures.
    """

    artifacts: tuple[Artifact, ...]
    checks: tuple[Check, ...]
    matrix: tuple[Cell, ...] = ()
    images: str | None = None
    policy: PolicySource | None = None
    waterfalls: tuple[Waterfall, ...] = ()
    exhibits: Exhibits = field(default_factory=Exhibits)

    @property
    def status(self) -> Status:
        """Of the whole fleet."""
        return worst(check.status for check in self.checks)

    @property
    def exit_status(self) -> int:
        """0 PASS, 1 FAIL, 3 UNVERIFIED."""
        return self.status.exit_status

    def status_of(self, artifact: str) -> Status:
        """Of one artifact, over all checks that concern it, pairs included."""
        return worst(check.status for check in self.checks if check.concerns(artifact))

    def to_json(self) -> dict[str, Any]:
        """As plain types, in the form of `verify-compat --json`."""
        return {
            "verdict": self.status.value,
            "artifacts": [
                artifact.to_json() | {"status": self.status_of(artifact.name).value} for artifact in self.artifacts
            ],
            "checks": [check.to_json() for check in self.checks],
            "matrix": [cell.to_json() for cell in self.matrix],
            "images": self.images,
            "policy": None if self.policy is None else vars(self.policy) | {"looser": list(self.policy.looser)},
            "waterfall": [waterfall.to_json() for waterfall in self.waterfalls],
            "worst": self.exhibits.to_json(),
        }


def _plain(value: object) -> object:
    if isinstance(value, Status):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
