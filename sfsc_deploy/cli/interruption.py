"""Remembers that Ctrl-C came: while a module is being imported, it may surface as any other exception."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Ctrlc:
    """Whether it came since the command was started."""

    came = False


def interrupted() -> bool:
    """Whether the user has interrupted the command, whatever exception ends it."""
    return _Ctrlc.came


@contextmanager
def noting_interruption() -> Iterator[None]:
    """Inside, SIGINT is noted, too, where Python's own handler takes it; any other handler stays."""
    _Ctrlc.came = False
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _note(number: int, frame: FrameType | None) -> None:
    _Ctrlc.came = True
    signal.default_int_handler(number, frame)
