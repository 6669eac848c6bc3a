"""Tables, progress and JSON of the command line."""

import json
from dataclasses import dataclass
from enum import Enum
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from pydantic import BaseModel
from rich.console import Console

from sfsc_deploy.cli.app import app
from sfsc_deploy.cli.console import STANDARD_OUTPUT, results
from sfsc_deploy.cli.json_output import write_json
from sfsc_deploy.cli.options import REPLACED
from sfsc_deploy.cli.progress import progress
from sfsc_deploy.cli.tables import BELOW, UNKNOWN, Score, evaluation_table, matrix_table

GOOD = [[0.8, 0.7], [0.65, 0.6]]
BAD = [[0.8, 0.5], [0.65, 0.6]]


def printed(*renderables: object, terminal: bool = False) -> str:
    console = Console(file=StringIO(), width=120, force_terminal=terminal)
    console.print(*renderables)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_the_matrix_has_queries_as_rows_and_galleries_as_columns() -> None:
    shown = printed(evaluation_table(["wide", "slim"], GOOD, [[0.9, 0.8], [0.75, 0.7]], "Cross-test"))
    row = next(line for line in shown.splitlines() if line.lstrip("│ ").startswith("wide"))
    assert "80.0 / 90.0" in row
    assert "70.0 / 80.0" in row
    assert BELOW not in shown


def test_a_cell_below_the_weaker_self_test_is_marked() -> None:
    shown = printed(evaluation_table(["wide", "slim"], BAD, BAD, "Cross-test"))
    assert shown.count(BELOW) == 2  # the cell, and the caption that explains it
    assert f"{BELOW} 50.0 / 50.0" in shown
    assert "below the self-test" in shown


def test_a_cell_that_was_not_measured_is_left_open() -> None:
    shown = printed(matrix_table(["wide", "slim"], {("slim", "wide"): Score(0.5, 0.6, below=False)}, "Cross-test"))
    row = next(line for line in shown.splitlines() if line.lstrip("│ ").startswith("slim"))
    assert "50.0 / 60.0" in row
    assert UNKNOWN in row
    assert f"{UNKNOWN} not measured" in shown


def test_off_a_terminal_progress_is_a_line_every_few_seconds() -> None:
    seconds = iter([0.0, 0.0, 0.0, 1.0, 6.0, 6.0, 6.5, 6.5])
    console = Console(file=(shown := StringIO()), force_terminal=False)
    with progress("Training", console, clock=lambda: next(seconds)) as show:
        for step in (1, 2, 3):
            show(step, 4, "loss 1.0")
        show(4, 4, "loss 0.5")
    assert shown.getvalue().splitlines() == [
        "Training 1/4 loss 1.0",
        "Training 3/4 loss 1.0",
        "Training 4/4 loss 0.5",
    ]


def test_on_a_terminal_progress_is_a_bar() -> None:
    console = Console(file=(shown := StringIO()), force_terminal=True, width=100)
    with progress("Training", console) as show:
        show(4, 4, "loss [0.5]")
    assert "4/4" in shown.getvalue()
    assert "loss [0.5]" in shown.getvalue()


def test_the_help_says_of_each_file_that_is_written_unasked_that_it_is_replaced() -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = [option for command in commands.values() for option in command.params]
    writing = {"--json", "--report", "--junit", "--markdown"}
    helps = [option.help for option in options if writing & set(option.opts)]
    assert len(helps) > len(writing)
    assert all(REPLACED in told for told in helps)


class Colour(str, Enum):
    RED = "red"


@dataclass(frozen=True)
class Part:
    path: Path
    colour: Colour


class Model(BaseModel):
    width: float


def test_json_takes_what_results_are_made_of(tmp_path: Path) -> None:
    target = tmp_path / "made" / "result.json"
    document = {
        "parts": (Part(Path("a/b"), Colour.RED),),
        "model": Model(width=0.5),
        "array": np.array([[1.0, np.nan]], dtype=np.float32),
        "number": np.float64(0.25),
        "count": np.int64(3),
        1: True,
    }
    write_json(document, target)
    assert json.loads(target.read_text(encoding="utf-8")) == {
        "parts": [{"path": "a/b", "colour": "red"}],
        "model": {"width": 0.5},
        "array": [[1.0, None]],
        "number": 0.25,
        "count": 3,
        "1": True,
    }


def test_json_refuses_what_has_no_form(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="object"):
        write_json({"it": object()}, tmp_path / "result.json")
    assert not list(tmp_path.iterdir())


def test_json_on_standard_output_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    results(STANDARD_OUTPUT).print("a table")
    write_json({"it": float("inf")}, STANDARD_OUTPUT)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"it": None}
    assert shown.err == "a table\n"


def test_without_json_results_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    results().print("a [table]")
    write_json({"it": 1}, None)
    assert capsys.readouterr().out == "a [table]\n"
