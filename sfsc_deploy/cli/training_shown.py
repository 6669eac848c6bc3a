"""What `train` shows while it runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console

from sfsc_deploy.cli import progress
from sfsc_deploy.cli.tables import evaluation_table
from sfsc_deploy.wording import number_of

if TYPE_CHECKING:
    from sfsc_deploy.evaluation import Evaluation
    from sfsc_deploy.training import Plan, Progress
    from trainer.initial import Fit


class TrainingShown:
    """Listens to a training run and shows it; the last evaluation is left to who asked for the run."""

    def __init__(self, console: Console, show: progress.Progress) -> None:
        self._console = console
        self._show = show
        self._epochs = 0
        self.plan: Plan | None = None
        """Of the run, once it has started."""

    def started(self, plan: "Plan") -> None:
        """Say what is about to be trained."""
        self._epochs = plan.epochs
        widths = ", ".join(f"{width:g}" for width in plan.widths)
        for line in (
            f"{plan.arch}: widths {widths}, {plan.parameters / 1e6:.2f} M parameters, on {plan.device}",
            f"{plan.data}: {plan.images} images of {plan.identities} identities",
            f"{number_of(plan.epochs, 'epoch')} into {plan.folder}",
        ):
            self._console.print(line, soft_wrap=True)
        for line in initial_lines(plan.initial) if plan.initial else ():
            self._console.print(line, soft_wrap=True)
        self.plan = plan
        if plan.skipped:
            self._console.print(f"{plan.skipped} images that can't be read are left out")
        if plan.inherits:
            self._console.print(f"Begins with the weights of {plan.inherits}", soft_wrap=True)
        if plan.steps_done:
            self._console.print(f"Going on after step {plan.steps_done} of {plan.steps}")
        show_warnings(plan, self._console)

    def stepped(self, now: "Progress") -> None:
        """Move the progress on."""
        self._show(now.step, now.steps, describe(now))

    def evaluated(self, epoch: int, evaluation: "Evaluation") -> None:
        """Show the matrix of an epoch on the way."""
        if epoch < self._epochs:
            title = f"Cross-test after epoch {epoch}"
            self._console.print(evaluation_table(evaluation.names, evaluation.map, evaluation.rank1, title))


def show_warnings(plan: "Plan", console: Console) -> None:
    """Print what makes a poor model likely."""
    for warning in plan.warnings:
        console.print(f"Warning: {warning}", soft_wrap=True)


def initial_lines(fit: "Fit") -> Iterator[str]:
    """What of a file of weights fitted, in one line, and the names of what didn't."""
    all_of_them = fit.taken + len(fit.missing)
    yield f"Begins with {fit.file} ({fit.naming}): {fit.taken} of {all_of_them} tensors of the backbone"
    for what, names in (
        ("resized", fit.resized),
        ("not in the file, so random", fit.missing),
        ("left out of the file", fit.left_out),
    ):
        if names:
            yield f"  {what}: {', '.join(names)}"


@contextmanager
def shown(console: Console) -> Iterator[TrainingShown]:
    """A listener that shows a run on a console."""
    with progress.progress("Training", console) as show:
        yield TrainingShown(console, show)


def describe(now: "Progress") -> str:
    """One line: losses and uncertainties from the narrowest to the widest, conflicts, speed, time left."""
    losses = _listed(now.loss, 2)
    uncertainties = _listed(now.uncertainty, 3)
    left = timedelta(seconds=round(now.seconds_left))
    return (
        f"epoch {now.epoch}/{now.epochs} | loss {losses} | u {uncertainties} | "
        f"conflicts {100 * now.conflicting:.0f} % | {now.images_per_second:.0f} images/s | {left} left"
    )


def _listed(figures: Sequence[float | None], digits: int) -> str:
    return " ".join("-" if figure is None else f"{figure:.{digits}f}" for figure in figures)
