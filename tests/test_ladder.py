"""The way down from the quickest precision, with a maker and a gate of paper."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from exporters import ExportError, FormatUnavailable
from profiles import load
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.ladder import descend, spared_numbers
from sfsc_deploy.exporting.request import Judgement, Wanted

HARM = {"stem": 0.01, "middle": 0.5, "branch": 0.2, "head": 0.1, "tail": 0.0, "neck": 0.3}


class PaperMaker:
    def __init__(self, refused: str | None = None) -> None:
        self.made: list[Wanted] = []
        self.measured = 0
        self.refused = refused

    def make(self, wanted: Wanted, folder: Path) -> Any:
        if wanted.profile.precision == self.refused:
            raise ExportError("Layer stem holds a weight of 1e9.", "Export with --precision float32.")
        assert folder.is_dir()
        self.made.append(wanted)
        precision = wanted.precision or wanted.profile.precision
        return SimpleNamespace(wanted=wanted, result=SimpleNamespace(files=[folder / "file"], precision=precision))

    def harm(self, wanted: Wanted, folder: Path) -> dict[str, float]:
        assert (wanted.profile.precision, folder.is_dir()) == ("int8", True)
        self.measured += 1
        return HARM


def _descend(tmp_path: Path, passing: set[str], profile: str = "server-cpu", refused: str | None = None) -> Any:
    maker: Any = PaperMaker(refused)
    asked = []

    def gate(file: Path, probe: Any, width: float, precision: str) -> Judgement:
        asked.append(precision)
        return Judgement(precision in passing, f"figures of {precision}")

    probe: Any = None
    descent = descend(maker, Wanted(load(profile), 0.5), probe, gate, tmp_path)
    return descent, maker, asked


def test_the_quickest_that_passes_is_taken_at_once(tmp_path: Path) -> None:
    descent, maker, asked = _descend(tmp_path, {"int8", "float32"})
    assert asked == ["int8"]
    assert maker.measured == 0, "harm is costly and not needed"
    assert [(rung.precision, rung.passed) for rung in descent.rungs] == [("int8", True)]


def test_the_profile_says_what_is_quickest(tmp_path: Path) -> None:
    assert _descend(tmp_path, {"int8", "float16"}, "server-gpu")[2] == ["float16"]


def test_most_harmful_layers_are_spared_first(tmp_path: Path) -> None:
    descent, maker, asked = _descend(tmp_path, {"mixed (float32: 2, int8: 4)", "float32"})
    assert asked == ["int8", "mixed (float32: 1, int8: 5)", "mixed (float32: 2, int8: 4)"]
    assert [wanted.spared for wanted in maker.made] == [(), ("middle",), ("middle", "neck")]
    assert descent.chosen.wanted.spared == ("middle", "neck")
    assert [rung.passed for rung in descent.rungs] == [False, False, True]


def test_after_the_mixes_comes_the_next_precision(tmp_path: Path) -> None:
    descent, _, asked = _descend(tmp_path, {"float16", "float32"}, "jetson-orin")
    assert asked == ["int8", *(f"mixed (float16: {n}, int8: {6 - n})" for n in (1, 2, 3)), "float16"]
    assert descent.chosen.wanted.profile.precision == "float16"
    assert descent.rungs[-1].why == "figures of float16"


def test_a_format_whose_int8_only_stores_weights_has_no_mixes(tmp_path: Path) -> None:
    _, maker, asked = _descend(tmp_path, {"float16"}, "iphone")
    assert asked == ["int8", "float16"]
    assert maker.measured == 0


def test_a_precision_that_cannot_hold_the_weights_is_a_rung_that_fails(tmp_path: Path) -> None:
    descent, _, asked = _descend(tmp_path, {"float32"}, "server-gpu", refused="float16")
    assert asked == ["float32"]
    assert [rung.precision for rung in descent.rungs] == ["float16", "float32"]
    assert "Layer stem" in descent.rungs[0].why


def test_a_format_that_cannot_be_written_here_is_no_rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: object) -> None:
        raise FormatUnavailable("Exporting to coreml needs coremltools, not installed here.")

    monkeypatch.setattr(PaperMaker, "make", make)
    with pytest.raises(FormatUnavailable):
        _descend(tmp_path, {"float16"}, "iphone")


def test_where_nothing_passes_every_rung_is_told(tmp_path: Path) -> None:
    with pytest.raises(SfscError) as told:
        _descend(tmp_path, set())
    for precision in ("int8", "mixed (float32: 3, int8: 3)", "float16", "float32"):
        assert f"{precision}: figures of {precision}" in told.value.message


@pytest.mark.parametrize(("layers", "numbers"), [(1, []), (2, [1]), (6, [1, 2, 3]), (54, [1, 2, 3, 5, 8, 12, 18, 27])])
def test_no_more_than_half_of_the_layers_are_spared(layers: int, numbers: list[int]) -> None:
    assert list(spared_numbers(layers)) == numbers
