"""The training loop: labelled images in, a supernet out, a report after every step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trainer import checkpoint
from trainer.aligning import align, sample
from trainer.augment import Augmenter
from trainer.batches import BalancedBatches
from trainer.collection import Added, Collection, Reconciled
from trainer.errors import TrainerError
from trainer.generation import OldEmbeddings
from trainer.images import TrainingImages
from trainer.methods import FittingOldGeneration, Method, Output, Phase, Target, WidthLoss, method_of
from trainer.networks import Networks, build
from trainer.recipe import Recipe
from trainer.schedule import learning_rate
from trainer.supernet import Supernet


@dataclass(frozen=True)
class StepReport:
    """What one step did."""

    step: int
    """From 1."""
    epoch: int
    """From 1, over all phases."""
    loss: tuple[float | None, ...]
    """Of each width, ascending; None for one that this phase doesn't train."""
    uncertainty: tuple[float | None, ...]
    """Mean u of each width; None as for the loss."""
    conflicting: float
    """Share of pairs of gradients, over all tensors, with a negative inner product."""
    learning_rate: float


class Training:
    """A run: networks, optimiser and the order of everything random, which seed and step alone decide.

    Args:
        recipe: of the run.
        images: what to train on.
        old: what an older generation, which the run must fit, makes of the images; None where it needn't fit any.

    Raises:
        TrainerError: too few identities for a batch, or a recipe that doesn't fit.
    """

    def __init__(self, recipe: Recipe, images: TrainingImages, old: OldEmbeddings | None = None) -> None:
        identities = int(images.identity.max()) + 1
        _refuse_too_few(identities, recipe)
        self.recipe = recipe
        self.images = images
        self.device = resolve_device(recipe.device)
        torch.manual_seed(recipe.seed)
        self.networks = build(recipe, identities).to(self.device)
        self.steps_done = 0
        self.batches = BalancedBatches(
            images.identity, recipe.identities_per_batch, recipe.images_per_identity, recipe.seed
        )
        self._old = old
        self._method = self._fitting(old)
        self._anchor = self._method.anchor(recipe.trained_widths)
        self._phases = self._method.phases(recipe.trained_widths)
        self._augment = Augmenter(recipe, images.mean)
        self._collection = _collection(self.networks, self._method, recipe)
        self._optimiser = _optimiser(self.networks, recipe)
        self._normalisation = [
            torch.tensor(values, device=self.device).view(3, 1, 1) for values in (images.mean, images.std)
        ]

    def _fitting(self, old: OldEmbeddings | None) -> Method:
        method = method_of(self.recipe)
        if old is None:
            return method
        return FittingOldGeneration(method, self.recipe, torch.from_numpy(old.prototypes).to(self.device))

    @property
    def epochs(self) -> int:
        """Number of epochs of the whole run: those of the recipe for every phase."""
        return len(self._phases) * self.recipe.epochs

    @property
    def steps(self) -> int:
        """Number of steps of the whole run."""
        return self.epochs * len(self.batches)

    @property
    def steps_of_a_phase(self) -> int:
        """Number of steps for which a width is trained at least, and its batch norms see images."""
        return self.recipe.epochs * len(self.batches)

    def run(self, on_step: Callable[[StepReport], None], on_epoch: Callable[[int], None]) -> None:
        """Trains from where it stands to the end.

        Args:
            on_step: hears of every step; may raise to stop the run, which then stands after that step.
            on_epoch: hears the number of every epoch that ends.
        """
        self.images.expect(self._coming())
        for batch in self._coming():
            report = self.step(batch)
            on_step(report)
            if report.step % len(self.batches) == 0:
                on_epoch(report.epoch)

    def align(self) -> None:
        """Brings the widths together as they stand, where the recipe asks for it: the last thing that a run needs.

        On the way it changes nothing for the steps to come.
        """
        if not isinstance(self.networks, Supernet) or not self.recipe.aligned:
            return
        batches = sample(len(self.images.identity), self.recipe)
        self.images.expect(batches)
        align(self.networks, map(self._unvaried, batches))
        self.images.expect(self._coming())

    def _unvaried(self, batch: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
        """Images as a device sees them, and what an older generation makes of them."""
        older = None if self._old is None else torch.from_numpy(self._old.rows[batch]).to(self.device)
        return self._normalised(self._pixels(batch)), older

    def step(self, batch: NDArray[np.int64]) -> StepReport:
        """One step on the images of these indexes.

        Raises:
            TrainerError: a loss is no longer finite.
        """
        done, steps = self.steps_done % self.steps_of_a_phase, self.steps_of_a_phase
        phase = self._phases[self.steps_done // steps]
        rate = self._set_learning_rate(done)
        self._optimiser.zero_grad()
        images, target = self._inputs(batch, done / steps)
        losses = self._backward_all(phase, images, target)
        values = self._finite({width: losses[width].value.item() for width in phase})
        conflicting = self._collection.combine([losses[width].uncertainty for width in phase], self._seed())
        self._optimiser.step()
        self.steps_done += 1
        widths = self.recipe.trained_widths
        return StepReport(
            step=self.steps_done,
            epoch=(self.steps_done - 1) // len(self.batches) + 1,
            loss=tuple(values.get(width) for width in widths),
            uncertainty=tuple(losses[width].uncertainty if width in losses else None for width in widths),
            conflicting=conflicting,
            learning_rate=rate,
        )

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        state = {"supernet": self.networks.state_dict(), "optimiser": self._optimiser.state_dict()}
        checkpoint.save(path, recipe=self.recipe, images=self.images.digest, step=self.steps_done, state=state)

    def resume(self, path: Path) -> None:
        """Goes back to a checkpoint of the same recipe and images.

        Raises:
            TrainerError: see ``checkpoint.load``; or its state is none of this recipe's.
        """
        self.steps_done, state = checkpoint.load(path, recipe=self.recipe, images=self.images.digest)
        try:
            self.networks.load_state_dict(state["supernet"])
            self._optimiser.load_state_dict(state["optimiser"])
        except Exception as error:  # torch raises whatever doesn't fit
            raise TrainerError(
                f"{path} holds no state of this recipe: {str(error).splitlines()[0]}", "Start anew without --resume."
            ) from None

    def _coming(self) -> Iterator[NDArray[np.int64]]:
        """The batches of all steps to come."""
        epoch, first = divmod(self.steps_done, len(self.batches))
        for number in range(epoch, self.epochs):
            yield from self.batches.epoch(number)[first if number == epoch else 0 :]

    def _inputs(self, batch: NDArray[np.int64], progress: float) -> tuple[Tensor, Target]:
        images = self._augment(self._pixels(batch), self._seed())
        identity = torch.from_numpy(self.images.identity[batch]).to(self.device)
        return self._normalised(images), Target(identity, progress)

    def _pixels(self, batch: NDArray[np.int64]) -> Tensor:
        pixels = torch.from_numpy(self.images.read(batch)).to(self.device)
        return pixels.permute(0, 3, 1, 2).float() / 255

    def _normalised(self, images: Tensor) -> Tensor:
        mean, std = self._normalisation
        return (images - mean) / std

    def _backward_all(self, phase: Phase, images: Tensor, target: Target) -> dict[float, WidthLoss]:
        """The losses of a phase, their gradients collected; the widest goes first, because it may be the anchor."""
        self.networks.train()
        anchor = self._frozen_anchor(phase, images)
        losses = {}
        for row, width in reversed(list(enumerate(phase))):
            output = self._output(images, width)
            losses[width] = self._method.loss(output, target, anchor)
            with self._collection.collecting(row):
                torch.autograd.backward(losses[width].value)
            if width == self._anchor:
                anchor = output.detached()
        return losses

    def _frozen_anchor(self, phase: Phase, images: Tensor) -> Output | None:
        """What the anchor makes of a batch where an earlier phase has trained it."""
        if self._anchor is None or self._anchor in phase:
            return None
        self.networks.of(self._anchor).eval()
        with torch.no_grad():
            return self._output(images, self._anchor)

    def _output(self, images: Tensor, width: float) -> Output:
        network = self.networks.of(width)
        mixed = self.recipe.amp == "bfloat16" and self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            embedding = network(images, width)
        return Output(F.normalize(embedding.float()), network.classifier.prototypes)

    def _finite(self, values: dict[float, float]) -> dict[float, float]:
        """The losses of a step by width, ascending, all of which must be numbers."""
        if not np.isfinite(list(values.values())).all():
            told = ", ".join(f"{value:g} at width {width:g}" for width, value in values.items())
            raise TrainerError(
                f"Training diverged at step {self.steps_done + 1} of {self.steps}: the loss is {told}.",
                "Train anew with a lower learning_rate in the recipe.",
            )
        return values

    def _set_learning_rate(self, step: int) -> float:
        rate = learning_rate(self.recipe, step, len(self.batches))
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        return rate

    def _seed(self) -> int:
        return int(np.random.SeedSequence((self.recipe.seed, self.steps_done)).generate_state(1)[0])


def resolve_device(name: str) -> torch.device:
    """The device of a recipe; ``auto`` is a CUDA device where there is one, else the CPU.

    Raises:
        TrainerError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise TrainerError(f"Device {name!r} can't be used: {reason}.", "Set --device auto or cpu.") from None


def _refuse_too_few(identities: int, recipe: Recipe) -> None:
    if identities < recipe.identities_per_batch:
        raise TrainerError(
            f"A batch holds {recipe.identities_per_batch} identities with {recipe.images_per_identity} images "
            f"each, but the training set has {identities} identities.",
            f"Lower --batch-size to at most {identities * recipe.images_per_identity}.",
        )


def _collection(networks: Networks, method: Method, recipe: Recipe) -> Collection:
    if method.reconciles and isinstance(networks, Supernet):
        return Reconciled(networks, recipe.compatibility)
    return Added()


def _optimiser(networks: Networks, recipe: Recipe) -> torch.optim.Optimizer:
    weights = [parameter for parameter in networks.parameters() if parameter.dim() > 1]
    norms = [parameter for parameter in networks.parameters() if parameter.dim() == 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
