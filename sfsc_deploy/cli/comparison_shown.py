"""What `compare` shows while it runs."""

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from sfsc_deploy.cli.training_shown import TrainingShown, shown

if TYPE_CHECKING:
    from sfsc_deploy.comparing import Contender
    from sfsc_deploy.comparing.outcome import Outcome


class ComparisonShown:
    """Listens to a comparison and shows it, the progress of one run at a time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._run = ExitStack()

    def __enter__(self) -> "ComparisonShown":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.close()

    def begins(self, contender: "Contender", seed: int, number: int, total: int) -> TrainingShown:
        """Say which run is next."""
        self._console.print(f"{number}/{total} {contender.name}, seed {seed}: {contender.what}", soft_wrap=True)
        return self._run.enter_context(shown(self._console))

    def ended(self, outcome: "Outcome", known: bool) -> None:
        """Say what it came to."""
        self._run.close()
        worst = "" if outcome.worst is None else f", worst cell {100 * outcome.worst:+.1f} points"
        before = " (measured before)" if known else ""
        self._console.print(f"  mean mAP {100 * outcome.mean:.1f} %{worst}{before}", soft_wrap=True)
