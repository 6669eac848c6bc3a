"""Where the command line writes: results to standard output, progress to standard error."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

STANDARD_OUTPUT = Path("-")
WIDTH_OF_A_FILE = 160  # characters: a log has room for a whole table


def results(json_file: Path | None = None) -> "Console":
    """The console for results; standard error while standard output carries the JSON."""
    return _console(stderr=json_file == STANDARD_OUTPUT)


def notices() -> "Console":
    """The console for progress and remarks: never mixed into what a program reads."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_A_FILE
    return console
