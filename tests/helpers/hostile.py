"""Files as a stranger may hand them over: damaged at random, or made to mislead; and what a reader made of them."""

import copy
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from exporters.errors import ExportError
from profiles.errors import ProfileError
from sfsc_deploy.errors import SfscError
from trainer.errors import TrainerError

OWN_ERRORS = (SfscError, ExportError, ProfileError, TrainerError)
SECONDS = 10
"""That a reader may take for a file of kilobytes, on a machine that is busy."""

_HUGE = (0, 1, 2**31 - 1, 2**32 - 1, 2**60, 2**63 - 1, 2**64 - 1)
VALUES = (
    "null", "true", "-1", "0", "0.5", "2", "NaN", "-Infinity", "1e999", "1" + "0" * 30, "1" + "0" * 5000, "[]", "{}",
    '""', '"\\u0000"', '"\\ud800"', '"../x"', '"/etc/passwd"', '"a@1e999"', '"a\\nb"', f'"{"x" * 10_000}"',
    "[" * 150 + "]" * 150, "[" * 50_000, '{"a":' * 50_000, '{"a":1,"a":2}',
)  # fmt: skip
"""JSON that is wrong nearly everywhere."""


def refused(read: Callable[[], object]) -> bool:
    """Whether `read` refuses what it is given in words of ours, rather than reading it; anything else is raised."""
    start, told = time.monotonic(), None
    try:
        read()
    except OWN_ERRORS as error:
        told = str(error)
    assert time.monotonic() - start < SECONDS
    assert told is None or told.strip()
    return told is not None


def mutants(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`content`, damaged in `count` ways."""
    for number in range(count):
        rng = random.Random(seed * 1_000_003 + number)
        changed = content
        for _ in range(rng.choice((1, 1, 2, 8))):
            changed = rng.choice(_DAMAGES)(changed, rng.randrange(len(changed) or 1), rng)
        yield changed


def _flipped(data: bytes, at: int, rng: random.Random) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)] if data else []) + data[at + 1 :]


def _cut(data: bytes, at: int, rng: random.Random) -> bytes:
    return data[:at]


def _extended(data: bytes, at: int, rng: random.Random) -> bytes:
    return data + rng.randbytes(1 + at % 64)


def _repeated(data: bytes, at: int, rng: random.Random) -> bytes:
    return data[: at + rng.randrange(1, 64)] + data[at:]


def _removed(data: bytes, at: int, rng: random.Random) -> bytes:
    return data[:at] + data[at + rng.randrange(1, 64) :]


def _another_number(data: bytes, at: int, rng: random.Random) -> bytes:
    width = rng.choice((4, 8))
    return data[:at] + (rng.choice(_HUGE) % (1 << 8 * width)).to_bytes(width, "little") + data[at + width :]


_DAMAGES = (_flipped, _cut, _extended, _repeated, _removed, _another_number)


def documents(document: Any, count: int, seed: int = 0) -> Iterator[str]:
    """JSON texts: `document` with a value replaced by one of `VALUES`, left out, or under another name."""
    places = [place for place in _places(document) if place]
    for number in range(count):
        rng = random.Random(seed * 1_000_003 + number)
        changed = copy.deepcopy(document)
        *parents, last = rng.choice(places)
        holder = changed
        for step in parents:
            holder = holder[step]
        match rng.randrange(6):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(("extra", "../x", "a\0b", "C:x", "x" * 300))] = holder.pop(last)
            case _:
                holder[last] = "@@"
        yield json.dumps(changed).replace('"@@"', rng.choice(VALUES))


def _places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in inside:
        yield from _places(value, (*at, name))


_MEASURED = """
import sys
{prepare}
from pathlib import Path

def highest():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024

before = highest()
for file in sys.argv[1:]:
    try:
        {read}
        print("read", file)
    except Exception as error:
        print(type(error).__name__, error)
print(highest() - before)
"""


def in_a_child(prepare: str, read: str, *files: Path) -> tuple[list[str], int]:
    """Read `files` in a process of its own.

    Args:
        prepare: Python that imports what reading takes, and reads something harmless.
        read: Python that reads `file`.

    Returns:
        What became of each file, and by how many MiB the most memory that was ever used has risen.
    """
    program = _MEASURED.format(prepare=prepare, read=read)
    command = [sys.executable, "-c", program, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    *said, mebibytes = done.stdout.splitlines()
    return said, int(mebibytes)
