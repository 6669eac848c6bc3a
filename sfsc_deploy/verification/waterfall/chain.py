"""From embeddings at the stations of a way to the steps between them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.probe import Probe
from sfsc_deploy.verification.fidelity import Agreement
from sfsc_deploy.verification.waterfall.steps import STEPS, Figures, Step


@dataclass(frozen=True)
class Gap:
    """Why there are no embeddings at a station.

    Attributes:
        why: in sentences.
        command: what gives them.
        beside: the way leads past the station, so that its step is no part of the next one; else the next step that is
            measured holds this one as well, and says so.
    """

    why: str
    command: str | None = None
    beside: bool = False


@dataclass(frozen=True, eq=False)
class Station:
    """The end of a step.

    Attributes:
        step: name of `STEPS`.
        found: embeddings of all images of the probe, float32 [N, D], or why there are none.
    """

    step: str
    found: NDArray[np.float32] | Gap


@dataclass(frozen=True, eq=False)
class _Point:
    rows: NDArray[np.float32]
    map: float | None


def steps_between(probe: Probe, reference: NDArray[np.float32], stations: Iterable[Station]) -> Iterator[Step]:
    """Compare each station with the one before, and with the reference.

    Args:
        probe: whose images were embedded.
        reference: where the way begins, float32 [N, D].
        stations: in the order of the way. Embeddings that aren't finite, or of another shape, are none.
    """
    start = before = _point(probe, reference)
    merged: list[str] = []
    for station in stations:
        found = _checked(station.found, reference)
        if isinstance(found, Gap):
            yield Step((station.step,), None, None, found.why, found.command)
            merged += [] if found.beside else [station.step]
            continue
        covers, here = (*merged, station.step), _point(probe, found)
        yield Step(covers, _figures(before, here), _figures(start, here), _told(covers))
        before, merged = here, []


def _checked(found: NDArray[np.float32] | Gap, reference: NDArray[np.float32]) -> NDArray[np.float32] | Gap:
    if isinstance(found, Gap):
        return found
    if found.shape != reference.shape:
        return Gap(f"It gave {list(found.shape)}, the reference is {list(reference.shape)}.")
    wrong = np.count_nonzero(~np.isfinite(found).all(axis=1))
    return Gap(f"{wrong} of {len(found)} rows hold NaN or infinity after it.") if wrong else found


def _told(covers: tuple[str, ...]) -> str:
    if len(covers) == 1:
        return f"Compared: {STEPS[covers[0]]}."
    return f"{', '.join(covers[:-1])} and {covers[-1]} together: what lies between could not be measured."


def _point(probe: Probe, rows: NDArray[np.float32]) -> _Point:
    result = probe.search(rows, rows)
    return _Point(rows, result.map if result.queries else None)


def _figures(before: _Point, here: _Point) -> Figures:
    agreement = Agreement.between(here.rows, before.rows)
    return Figures(
        min_cosine=float(agreement.cosine.min()),
        p1_cosine=float(np.percentile(agreement.cosine, 1)),
        median_cosine=float(np.median(agreement.cosine)),
        max_difference=float(agreement.difference.max()),
        map_change=None if here.map is None or before.map is None else here.map - before.map,
    )
