"""`--precision auto`: down from the quickest precision to the first that keeps a sub-model compatible.

A profile lists its precisions quickest first, since the machine that exports is seldom the device and its own latency
would prove nothing. Where int8 in all layers is too much, mixes follow before the next precision: the most harmful
layers stay in the float type that the format gives to the rest (float16 for TensorRT, float32 for CPUs), first one,
then about half as many more each time, up to half of the layers. Beyond that a mix changes between integers and floats
too often to be quick.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from exporters.errors import ExportError, FormatUnavailable
from exporters.formats import FORMATS
from exporters.precision import summary
from sfsc_deploy.artifact import Rung
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.making import Made, Maker
from sfsc_deploy.exporting.request import Gate, Wanted
from sfsc_deploy.probe import Probe


class Descent(NamedTuple):
    """What was chosen, and what was tried before, itself last."""

    chosen: Made
    rungs: tuple[Rung, ...]


def descend(maker: Maker, wanted: Wanted, probe: Probe, gate: Gate, folder: Path) -> Descent:
    """Write a sub-model in the quickest precision that its profile allows and the gate lets through.

    Args:
        maker: writes it.
        wanted: its profile and width.
        probe: that the gate tries it on.
        gate: lets it through or not.
        folder: gets the files of what was chosen.

    Raises:
        SfscError: no precision passes; says what came of each.
        FormatUnavailable: the format can't be written here in any precision.
    """
    rungs: list[Rung] = []
    for number, step in enumerate(_steps(maker, wanted, folder)):
        place = folder / str(number)
        place.mkdir()
        made, rung = _try(maker, step, probe, gate, place)
        rungs.append(rung)
        if made is not None and rung.passed:
            return Descent(made, tuple(rungs))
    raise SfscError(
        f"No precision that profile {wanted.profile.name} allows keeps the sub-model compatible:{_told(rungs)}",
        "Allow a higher precision in the profile, or train for longer.",
    )


def spared_numbers(layers: int) -> Iterator[int]:
    """How many layers are spared, mix by mix: 1, 2, 3, 5, 8, ... up to half of them."""
    number = 1
    while number <= layers // 2:
        yield number
        number += (number + 1) // 2


def _try(maker: Maker, step: Wanted, probe: Probe, gate: Gate, place: Path) -> tuple[Made | None, Rung]:
    try:
        made = maker.make(step, place)
    except FormatUnavailable:
        raise
    except ExportError as error:
        return None, Rung(precision=step.precision or step.profile.precision, passed=False, why=error.message)
    result = made.result
    judgement = gate(result.files[0], probe, step.width, result.precision)
    return made, Rung(precision=result.precision, passed=judgement.passed, why=judgement.why)


def _steps(maker: Maker, wanted: Wanted, folder: Path) -> Iterator[Wanted]:
    for precision in wanted.profile.precisions:
        step = replace(wanted, profile=wanted.profile.with_precision(precision))
        yield step
        if precision == "int8":
            yield from _mixes(maker, step, folder)


def _mixes(maker: Maker, step: Wanted, folder: Path) -> Iterator[Wanted]:
    scheme = FORMATS[step.profile.format].int8
    if scheme is None:
        return
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        harm = maker.harm(step, Path(beside))
    worst = sorted(harm, key=lambda name: -harm[name])
    for number in spared_numbers(len(worst)):
        spared = tuple(worst[:number])
        yield replace(step, spared=spared, precision=_mixed(harm, spared, scheme.rest))


def _mixed(layers: Mapping[str, float], spared: tuple[str, ...], rest: str) -> str:
    return summary({name: rest if name in spared else "int8" for name in layers})


def _told(rungs: list[Rung]) -> str:
    return "".join(f"\n  {rung.precision}: {rung.why}" for rung in rungs)
