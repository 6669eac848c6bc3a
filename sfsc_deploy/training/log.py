"""``metrics.jsonl``: a line for every step."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing
from trainer.loop import StepReport


class StepLog:
    """Appends a line for each step; a resumed run goes on behind the steps that its checkpoint knows.

    Args:
        file: where the lines are.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> list[dict[str, Any]]:
        """All whole lines so far.

        Raises:
            SfscError: the file is damaged.
        """
        if not self.file.exists():
            return []
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines(keepends=True)
            steps = [dict(json.loads(line)) for line in lines if line.endswith("\n")]
            return sorted(steps, key=lambda step: int(step["step"]))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise SfscError(
                f"{self.file} is damaged: {error}.", "Restore it, or train anew with another --out."
            ) from None

    @contextmanager
    def writing_after(self, steps_done: int) -> Iterator["StepWriter"]:
        """Drops what lies behind ``steps_done``, and appends."""
        kept = [line for line in self.read() if line["step"] <= steps_done]
        with replacing(self.file) as beside:
            beside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        with self.file.open("a", encoding="utf-8") as opened:
            yield StepWriter(opened)


class StepWriter:
    """Writes steps as lines of JSON."""

    def __init__(self, opened: IO[str]) -> None:
        self._opened = opened

    def write(self, report: StepReport, seconds: float) -> None:
        """Appends one step and how long it took."""
        self._opened.write(json.dumps({**asdict(report), "seconds": round(seconds, 6)}) + "\n")
        self._opened.flush()
