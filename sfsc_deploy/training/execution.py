"""Trains a prepared run and finishes its folder."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import version

import numpy as np

from sfsc_deploy import __version__
from sfsc_deploy.artifact import space_id
from sfsc_deploy.data.dataset import Split
from sfsc_deploy.errors import Interrupted, SfscError
from sfsc_deploy.evaluation import Embed, Evaluation, HeldOut, cross_test
from sfsc_deploy.files import replacing
from sfsc_deploy.neighbours import find_neighbours
from sfsc_deploy.pictures import draw_neighbours, draw_training
from sfsc_deploy.probe import build
from sfsc_deploy.run_folder import (
    CHECKPOINT,
    EVALUATION,
    METRICS,
    NEIGHBOURS,
    PICTURE,
    PROBE,
    RECIPE,
    WEIGHTS,
    OldGeneration,
    RunFacts,
    RunFolder,
    point_latest_at,
    write_json,
    write_recipe,
)
from sfsc_deploy.runtime.torch_backend import TorchEmbedder, reference
from sfsc_deploy.scores import mean_directions
from sfsc_deploy.training.images import LostImageError, training_images
from sfsc_deploy.training.interruption import Interruption, interruptible
from sfsc_deploy.training.log import StepLog
from sfsc_deploy.training.plan import Prepared
from sfsc_deploy.training.request import Listener, Plan, Progress, TrainRequest
from trainer.generation import OldEmbeddings
from trainer.images import TrainingImages
from trainer.initial import initialise
from trainer.loop import StepReport, Training, resolve_device
from trainer.networks import count_parameters, inherit
from trainer.norms import enough_steps, initial_share

PART = 1024
"""Training images that an older generation embeds at once."""


def execute(prepared: Prepared, request: TrainRequest, listener: Listener) -> RunFolder:
    """Trains what was prepared and leaves a finished run folder; errors are those of `run.train`.

    Args:
        prepared: what the request came to.
        request: how to go about it.
        listener: hears how it goes.
    """
    with training_images(prepared.data, prepared.preprocessing, request.workers) as images:
        return _Run(prepared, images, request, listener).to_the_end()


class _Run:
    """One run on its way."""

    def __init__(self, prepared: Prepared, images: TrainingImages, request: TrainRequest, listener: Listener) -> None:
        self._prepared = prepared
        self._listener = listener
        self._request = request
        self._folder = prepared.folder
        self._training = Training(prepared.recipe, images, _old_embeddings(prepared))
        old = prepared.old_generation
        self._inherits = bool(old and not prepared.initial and inherit(self._training.networks, old.networks()))
        if prepared.checkpoint:
            self._training.resume(prepared.checkpoint)
        self._initial = (
            initialise(self._training.networks, prepared.recipe, prepared.initial) if prepared.initial else None
        )
        self._held_out = HeldOut.of(prepared.data, prepared.preprocessing)
        self._log = StepLog(self._folder / METRICS)
        self._pace = _Pace(self._training)

    def to_the_end(self) -> RunFolder:
        try:
            self._train()
        except BaseException:
            self._remove_unless_resumable()
            raise
        try:
            self._align()
            return self._finish()
        except KeyboardInterrupt:
            raise self._interrupted("the last step, before the run was finished") from None

    def _train(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_recipe(self._folder, self._prepared.recipe, self._facts(space=None))
        self._listener.started(self._plan())
        with interruptible() as interruption, self._log.writing_after(self._training.steps_done) as log:
            self._pace.start()
            try:
                self._training.run(lambda report: self._stepped(report, log.write, interruption), self._epoch_ended)
            except LostImageError as error:
                raise self._stopped_by(error) from None

    def _align(self) -> None:
        """Outside of what Ctrl-C lets finish: the checkpoint of the last step is written."""
        try:
            self._training.align()
        except LostImageError as error:
            raise self._stopped_by(error) from None

    def _stopped_by(self, error: LostImageError) -> SfscError:
        """Leaves a checkpoint of the last whole step: the next one hasn't begun before its images are there."""
        if not self._training.steps_done:
            return error
        self._training.save(self._folder / CHECKPOINT)
        return SfscError(
            f"{error.message} Training stopped after step {self._training.steps_done} of {self._training.steps}; the "
            f"checkpoint is in {self._folder}.",
            f"Restore the image, then go on with: sfsc-deploy train --resume {self._folder}",
        )

    def _remove_unless_resumable(self) -> None:
        """Nobody can go on without a checkpoint, and a folder that holds a run is refused to the next one."""
        if (self._folder / CHECKPOINT).exists():
            return
        for name in (RECIPE, METRICS):
            (self._folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # it doesn't exist, or holds files of others
            self._folder.rmdir()

    def _stepped(
        self, report: StepReport, write: Callable[[StepReport, float], None], interruption: Interruption
    ) -> None:
        write(report, self._pace.lap())
        self._listener.stepped(self._pace.progress(report))
        if interruption.requested and report.step < self._training.steps:
            self._training.save(self._folder / CHECKPOINT)
            raise self._interrupted(f"step {report.step} of {self._training.steps}")

    def _interrupted(self, after: str) -> Interrupted:
        return Interrupted(
            f"Stopped after {after}; the checkpoint is in {self._folder}.",
            f"Go on with: sfsc-deploy train --resume {self._folder}",
        )

    def _epoch_ended(self, epoch: int) -> None:
        last = epoch == self._training.epochs
        self._training.save(self._folder / CHECKPOINT)
        every = self._request.evaluate_every
        if every and epoch % every == 0 and not last:
            self._training.align()
            self._listener.evaluated(epoch, self._evaluate())

    def _evaluate(self) -> Evaluation:
        return cross_test(
            {f"{width:g}": self._embed(width) for width in self._prepared.recipe.trained_widths}, self._held_out
        )

    def _embed(self, width: float) -> Embed:
        submodel = TorchEmbedder(
            self._training.networks, width, self._prepared.preprocessing, device=str(self._training.device)
        )
        return submodel.embed

    def _finish(self) -> RunFolder:
        """Writes everything else; the recipe with the id of the space comes last and marks the run as finished."""
        from safetensors.torch import save

        evaluation = self._evaluate()
        self._listener.evaluated(self._training.epochs, evaluation)
        weights = {name: tensor.cpu().contiguous() for name, tensor in self._training.networks.state_dict().items()}
        with replacing(self._folder / WEIGHTS) as beside:
            beside.write_bytes(save(weights))
        arrays = {name: tensor.numpy() for name, tensor in weights.items()}
        space = space_id(arrays, self._prepared.recipe.embedding_dim, self._prepared.preprocessing)
        self._write_probe(space)
        write_json(
            self._folder / EVALUATION, {"widths": list(self._prepared.recipe.trained_widths), **evaluation.to_json()}
        )
        draw_training(self._folder / PICTURE, self._log.read(), evaluation)
        self._draw_neighbours()
        write_recipe(self._folder, self._prepared.recipe, self._facts(space))
        if self._request.becomes_latest:
            point_latest_at(self._folder)
        return RunFolder.open(self._folder)

    def _draw_neighbours(self) -> None:
        widths = self._prepared.recipe.trained_widths
        narrowest, widest = widths[0], widths[-1]
        title = f"{self._prepared.data.name}: queries embedded at width {narrowest:g}, the gallery at width {widest:g}"
        found = find_neighbours(self._embed(narrowest), self._embed(widest), self._held_out)
        draw_neighbours(self._folder / NEIGHBOURS, title, found)

    def _write_probe(self, space: str) -> None:
        data = self._prepared.data
        probe = build(data.query, data.gallery, self._prepared.preprocessing, space=space, origin=data.name)
        networks = self._training.networks.cpu()
        embedders = {
            width: TorchEmbedder(networks, width, self._prepared.preprocessing)
            for width in self._prepared.recipe.trained_widths
        }
        references = probe.with_references(embedders, lambda width, images: embedders[width].embed(images))
        references.save(self._folder / PROBE)

    def _facts(self, space: str | None) -> RunFacts:
        data, old = self._prepared.data, self._prepared.old_generation
        return RunFacts(
            data=data.name,
            root=str(data.root.resolve()) if data.root else None,
            identities=len(set(data.train.identity)),
            preprocessing=self._prepared.preprocessing,
            compatible_with=_generation(old, weights=self._inherits) if old else None,
            space=space,
            tools={"sfsc-deploy": __version__, **{tool: version(tool) for tool in ("torch", "kornia", "numpy")}},
        )

    def _plan(self) -> Plan:
        training, data, old = self._training, self._prepared.data, self._prepared.old_generation
        return Plan(
            folder=self._folder,
            data=data.name,
            images=len(data.train),
            identities=len(set(data.train.identity)),
            skipped=len(data.skipped),
            arch=training.recipe.arch,
            widths=training.recipe.trained_widths,
            parameters=count_parameters(training.networks),
            device=str(training.device),
            epochs=training.epochs,
            steps=training.steps,
            steps_done=training.steps_done,
            inherits=old.path if old and self._inherits else None,
            initial=self._initial,
            warnings=(*_warnings(training), *self._not_inherited()),
        )

    def _not_inherited(self) -> Iterator[str]:
        old = self._prepared.old_generation
        if old and not self._inherits and not self._initial:
            yield (
                f"The networks of {old.path} are built otherwise, so these begin with random weights, and queries will "
                "find less in its gallery. With the same method, architecture and widths they begin with its own."
            )


class _Pace:
    """How fast a run goes, over the steps of this process."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def start(self) -> None:
        self._since = self._last = time.monotonic()
        self._first = self._training.steps_done

    def lap(self) -> float:
        """Seconds since the step before."""
        before, self._last = self._last, time.monotonic()
        return self._last - before

    def progress(self, report: StepReport) -> Progress:
        seconds_a_step = (time.monotonic() - self._since) / (report.step - self._first)
        return Progress(
            step=report.step,
            steps=self._training.steps,
            epoch=report.epoch,
            epochs=self._training.epochs,
            loss=report.loss,
            uncertainty=report.uncertainty,
            conflicting=report.conflicting,
            images_per_second=self._training.recipe.batch_size / max(seconds_a_step, 1e-9),
            seconds_left=(self._training.steps - report.step) * seconds_a_step,
        )


def _warnings(training: Training) -> Iterator[str]:
    steps, enough = training.steps_of_a_phase, enough_steps()
    if steps < enough:
        yield (
            f"{steps} steps are few for batch norms: {100 * initial_share(steps):.0f} % of their running statistics "
            "will still be what they began with, and embeddings poor, however low the loss. Train for "
            f"{-(-enough // len(training.batches))} epochs or more (--epochs): from {enough} steps on it is less than "
            "1 %."
        )


def _generation(old: RunFolder, *, weights: bool) -> OldGeneration:
    return OldGeneration(run=str(old.path.resolve()), space=old.space, weights=weights)


def _old_embeddings(prepared: Prepared) -> OldEmbeddings | None:
    old = prepared.old_generation
    if old is None:
        return None
    with reference(old, device=str(resolve_device(prepared.recipe.device))) as model:
        parts = [model.embed(part.load(old.preprocessing)) for part in _parts(prepared.data.train)]
    rows = np.concatenate(parts)
    return OldEmbeddings(rows, mean_directions(rows, prepared.data.train_identity()))


def _parts(split: Split) -> Iterator[Split]:
    """Parts that fit into memory whatever the size of the whole."""
    for start in range(0, len(split), PART):
        yield split.keep(range(start, min(start + PART, len(split))))
