"""Where the command line writes: results to standard output, progress to standard error."""

from pathlib import Path
from typing import NoReturn

from rich.console import Console

STANDARD_OUTPUT = Path("-")
WIDTH_OF_A_FILE = 160  # characters: a log has room for a whole table


class PlainConsole(Console):
    """Prints text as it is, without reading markup, numbers or emoji into it."""

    def __init__(self, *, stderr: bool) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)
        if not self.is_terminal:
            self.width = WIDTH_OF_A_FILE

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `failures.told`: rich would exit with 1, which is the status of a failed verification."""
        raise BrokenPipeError


def results(json_file: Path | None = None) -> Console:
    """The console for results; standard error while standard output carries the JSON."""
    return PlainConsole(stderr=json_file == STANDARD_OUTPUT)


def notices() -> Console:
    """The console for progress and remarks: never mixed into what a program reads."""
    return PlainConsole(stderr=True)
