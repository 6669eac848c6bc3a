"""From embeddings at the stations of a way to the steps between them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
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
        stations: in the order of the way. Embeddings that aren't finite, of another shape, or of norms that can't be
            ranked, are none.
    """
    start = before = _Point(reference, _map(probe, reference))
    merged: list[str] = []
    for station in stations:
        here = _point(probe, reference, station.found)
        if isinstance(here, Gap):
            yield Step((station.step,), None, None, here.why, here.command)
            merged += [] if here.beside else [station.step]
            continue
        covers = (*merged, station.step)
        yield Step(covers, _figures(before, here), _figures(start, here), _told(covers))
        before, merged = here, []


def _point(probe: Probe, reference: NDArray[np.float32], found: NDArray[np.float32] | Gap) -> _Point | Gap:
    if isinstance(found, Gap):
        return found
    if found.shape != reference.shape:
        return Gap(f"It gave {list(found.shape)}, the reference is {list(reference.shape)}.")
    wrong = np.count_nonzero(~np.isfinite(found).all(axis=1))
    if wrong:
        return Gap(f"{wrong} of {len(found)} rows hold NaN or infinity after it.")
    try:
        return _Point(found, _map(probe, found))
    except SfscError as error:  # rows too long to be ranked: the check `norm` says what is wrong with them
        return Gap(error.message, error.remedy)


def _map(probe: Probe, rows: NDArray[np.float32]) -> float | None:
    """Of the self-test; None where no query has a match."""
    result = probe.search(rows, rows)
    return result.map if result.queries else None


def _told(covers: tuple[str, ...]) -> str:
    if len(covers) == 1:
        return f"Compared: {STEPS[covers[0]]}."
    return f"{', '.join(covers[:-1])} and {covers[-1]} together: what lies between could not be measured."


def _figures(before: _Point, here: _Point) -> Figures:
    agreement = Agreement.between(here.rows, before.rows)
    return Figures(
        min_cosine=float(agreement.cosine.min()),
        p1_cosine=float(np.percentile(agreement.cosine, 1)),
        median_cosine=float(np.median(agreement.cosine)),
        max_difference=float(agreement.difference.max()),
        map_change=None if here.map is None or before.map is None else here.map - before.map,
    )
