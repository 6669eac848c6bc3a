"""Progress: a bar on a terminal, a plain line every few seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """Told how far a piece of work has come."""

    def __call__(self, done: int, total: int, remark: str = "") -> None:
        """`done` of `total` steps are done; `remark` says what matters now."""


@contextmanager
def progress(
    title: str,
    console: Console,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Show how a piece of work goes on, as fits the console.

    Args:
        title: what is being done.
        console: where to show it.
        clock: seconds; decides when the next plain line is due.
    """
    if not console.is_terminal:
        yield _lines(title, console, clock)
        return
    with _bar(title, console) as shown:
        yield shown


@contextmanager
def _bar(title: str, console: Console) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    bars = Bars(TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), console=console)
    task = bars.add_task(title, total=None)
    below = Text()

    def show(done: int, total: int, remark: str = "") -> None:
        bars.update(task, completed=done, total=total)
        below.plain = remark

    with Live(Group(bars, below), console=console, transient=True):
        yield show


def _lines(title: str, console: Console, clock: Callable[[], float]) -> Progress:
    due = clock()

    def show(done: int, total: int, remark: str = "") -> None:
        nonlocal due
        if clock() >= due or done >= total:
            due = clock() + SECONDS_BETWEEN_LINES
            console.print(f"{title} {done}/{total} {remark}".rstrip(), soft_wrap=True)

    return show
