"""Ctrl-C as a wish that is granted after the step in progress, so that what is saved is whole."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether the user has asked to stop."""

    requested = False

    def request(self, number: int, frame: FrameType | None) -> None:
        """Notes the wish; a second Ctrl-C ends the program at once."""
        del frame
        self.requested = True
        signal.signal(number, signal.default_int_handler)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Inside, SIGINT and SIGTERM only note the wish to stop."""
    interruption = Interruption()
    previous = {number: signal.signal(number, interruption.request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
