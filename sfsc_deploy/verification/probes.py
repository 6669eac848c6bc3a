"""Which probe an artifact is tried on: its own, or another of its space."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.probe import Drift, Probe, decoded_here, preprocessing_drift
from sfsc_deploy.run_folder import PROBE
from sfsc_deploy.verification.subject import Subject
from sfsc_deploy.verification.verdict import Finding, unverified


@dataclass(frozen=True, eq=False)
class ProbeAtHand:
    """A probe file, read."""

    path: Path
    probe: Probe

    @cached_property
    def decoded_here(self) -> NDArray[np.uint8]:
        """Its raw images as this machine decodes and resizes them; see `probe.decoded_here`."""
        return decoded_here(self.probe)

    @cached_property
    def drift(self) -> Drift:
        """How far this machine's decoding and resizing are from the probe's; see `preprocessing_drift`."""
        return preprocessing_drift(self.probe, self.decoded_here)


class Probes:
    """Every probe at hand, each file read once.

    Args:
        subjects: what is to be verified; artifacts and run folders bring probes with them.
        given: a probe that the user named; it goes before all others of its space.

    Raises:
        SfscError: the named probe can't be read, or belongs to none of the subjects.
    """

    def __init__(self, subjects: Sequence[Subject], given: Path | None = None) -> None:
        self._read: dict[Path, ProbeAtHand | SfscError] = {}
        self._put_together: dict[tuple[Path, frozenset[tuple[float, int]]], ProbeAtHand] = {}
        self._named = None if given is None else self._given(given, subjects)
        self._usable = [] if self._named is None else [self._named]
        for subject in subjects:
            own = self._open(path) if (path := _own_path(subject)) and path.exists() else None
            if isinstance(own, ProbeAtHand) and not self.problem_of(subject) and own not in self._usable:
                self._usable.append(own)

    def for_subject(self, subject: Subject, space: str) -> ProbeAtHand | None:
        """The first intact probe of a space, which all artifacts of that space can be compared on.

        Widths that were not trained have references in probes of their own: where these show the same images, the
        references of all are put together. The subject's own go before others, and those of a named probe before all.
        """
        usable = [at_hand for at_hand in self._usable if at_hand.probe.space == space]
        if not usable:
            return None
        named = usable[:1] if usable[0] is self._named else []
        own = [at_hand for at_hand in usable if _is_own(at_hand.path, subject)]
        return self._merged(usable[0], [*named, *own, *usable])

    def _merged(self, first: ProbeAtHand, others: Sequence[ProbeAtHand]) -> ProbeAtHand:
        references: dict[float, NDArray[np.float32]] = {}
        for at_hand in others:
            if at_hand is first or at_hand.probe.shows_the_same(first.probe):
                references = {**at_hand.probe.reference, **references}
        key = first.path, frozenset((width, id(rows)) for width, rows in references.items())
        if key not in self._put_together:
            probe = replace(first.probe, reference=references)
            self._put_together[key] = ProbeAtHand(first.path, probe)
        return self._put_together[key]

    def absence_for(self, subject: Subject) -> Finding:
        """Why there is no probe that `subject` could be tried on."""
        path, command = _own_path(subject), "sfsc-deploy verify-compat ... --probe FILE"
        if path is None or path.exists():
            return unverified("No intact probe of its space is at hand.", command)
        return unverified(
            f"Its probe {path} is missing: copy it there, or name it. No other intact probe of its space is at hand.",
            command,
        )

    def problem_of(self, subject: Subject) -> str | None:
        """What is wrong with the probe that `subject` came with; None where it is right, or absent."""
        return next(self._problems(subject), None)

    def _problems(self, subject: Subject) -> Iterator[str]:
        path = _own_path(subject)
        if path is None or not path.exists() or subject.facts is None:
            return
        if subject.sidecar is not None and sha256_of(path) != subject.sidecar.probe.sha256:
            yield f"{path.name} is not the probe that the artifact was exported with: its hash differs."
        own = self._open(path)
        if isinstance(own, SfscError):
            yield own.message
        elif own.probe.space != subject.facts.space:
            yield f"{path.name} belongs to another space."
        elif own.probe.preprocessing != subject.facts.preprocessing:
            yield f"{path.name} was made with another preprocessing."

    def _given(self, path: Path, subjects: Sequence[Subject]) -> ProbeAtHand:
        at_hand = self._open(path)
        if isinstance(at_hand, SfscError):
            raise at_hand
        spaces = {subject.facts.space for subject in subjects if subject.facts}
        if spaces and at_hand.probe.space not in spaces:
            raise SfscError(
                f"The probe {path} belongs to space {at_hand.probe.space[:12]}, none of the artifacts does.",
                "Give the probe of these artifacts, or leave it out.",
            )
        return at_hand

    def _open(self, path: Path) -> ProbeAtHand | SfscError:
        place = path.resolve()
        if place not in self._read:
            try:
                self._read[place] = ProbeAtHand(path, Probe.load(path))
            except SfscError as error:
                self._read[place] = error
        return self._read[place]


def _own_path(subject: Subject) -> Path | None:
    """Where the probe that `subject` came with lies, or would lie."""
    if subject.kind == "run":
        return subject.path / PROBE
    return subject.path.with_name(subject.sidecar.probe.file) if subject.sidecar else None


def _is_own(probe: Path, subject: Subject) -> bool:
    own = _own_path(subject)
    return own is not None and own.resolve() == probe.resolve()
