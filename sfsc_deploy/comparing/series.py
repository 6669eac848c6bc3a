"""Trains what is compared, one run folder each, and measures it; what is there already is not done again."""

from pathlib import Path

from sfsc_deploy.comparing.comparison import Comparison
from sfsc_deploy.comparing.outcome import Outcome, measure, read
from sfsc_deploy.comparing.recipes import recipe_of, settings_of
from sfsc_deploy.comparing.request import CompareRequest, Contender, Listener
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.errors import Interrupted, SfscError
from sfsc_deploy.evaluation import HeldOut
from sfsc_deploy.run_folder import CHECKPOINT, RECIPE, RunFolder
from sfsc_deploy.training import Listener as TrainingListener
from sfsc_deploy.training import TrainRequest
from sfsc_deploy.training.run import train
from trainer.recipe import Recipe


class Series:
    """One run after the other.

    Args:
        request: what is compared; its folder may hold a part of it.
        listener: hears how it goes.

    Raises:
        SfscError: that folder holds runs of another comparison.
    """

    def __init__(self, request: CompareRequest, listener: Listener) -> None:
        self._request = request
        self._listener = listener
        self._wanted = [(each, seed) for seed in range(request.seeds) for each in request.contenders]
        for contender, seed in self._wanted:
            self._refuse_another(contender, seed)
        self._images: HeldOut | None = None

    def run(self) -> Comparison:
        """Do what is left, and put everything together; errors are those of `run.compare`."""
        outcomes = []
        for number, (contender, seed) in enumerate(self._wanted, start=1):
            heard = self._listener.begins(contender, seed, number, len(self._wanted))
            outcomes.append(self._outcome(contender, seed, heard))
        common = recipe_of(self._request, self._request.contenders[0], 0)
        return Comparison(self._held_out(common).data, common, self._request.contenders, tuple(outcomes))

    def _outcome(self, contender: Contender, seed: int, listener: TrainingListener) -> Outcome:
        run = self._trained(contender, seed, listener)
        known = read(run)
        outcome = known or measure(run, contender.name, self._held_out(run.recipe))
        self._listener.ended(outcome, known is not None)
        return outcome

    def _trained(self, contender: Contender, seed: int, listener: TrainingListener) -> RunFolder:
        folder = self._folder(contender, seed)
        if (folder / RECIPE).exists():
            run = RunFolder.open(folder)
            if run.facts.space is not None:
                return run
        try:
            return train(self._train_request(contender, seed, folder), listener)
        except Interrupted as stopped:
            raise Interrupted(stopped.message, "The same command goes on with the comparison.") from None

    def _train_request(self, contender: Contender, seed: int, folder: Path) -> TrainRequest:
        resumable = (folder / CHECKPOINT).exists()
        return TrainRequest(
            data=self._request.data,
            recipe=None if resumable else self._request.recipe,
            overrides={} if resumable else settings_of(self._request, contender, seed),
            out=None if resumable else folder,
            resume=folder if resumable else None,
            skip_unreadable=self._request.skip_unreadable,
            becomes_latest=False,
        )

    def _folder(self, contender: Contender, seed: int) -> Path:
        return self._request.out / f"{contender.name}-{seed}"

    def _refuse_another(self, contender: Contender, seed: int) -> None:
        """A folder of an earlier comparison must have been made with the same settings."""
        folder, wanted = self._folder(contender, seed), recipe_of(self._request, contender, seed)
        if not (folder / RECIPE).exists():
            return
        there = RunFolder.open(folder)
        names = there.recipe.differing(wanted)
        root = self._request.data.resolve() if self._request.data else None
        if root != (Path(there.facts.root) if there.facts.root else None):
            names.append("data")
        if names:
            raise SfscError(
                f"{folder} was trained with other settings: {', '.join(names)}.",
                "Choose another --out, or give the settings it was begun with.",
            )

    def _held_out(self, recipe: Recipe) -> HeldOut:
        if self._images is None:
            height, width = recipe.image_size
            data = open_dataset(self._request.data, with_train=False, skip_unreadable=self._request.skip_unreadable)
            self._images = HeldOut.of(data, Preprocessing(height=height, width=width))
        return self._images
