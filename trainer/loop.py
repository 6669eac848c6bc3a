"""The training loop: labelled images in, a supernet out, a report after every step."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trainer import checkpoint
from trainer.augment import Augmenter
from trainer.batches import BalancedBatches
from trainer.conflict import reconcile
from trainer.errors import TrainerError
from trainer.gradients import GradientRows
from trainer.methods import Output, Sfsc, Target, WidthLoss, priorities
from trainer.recipe import Recipe
from trainer.schedule import learning_rate
from trainer.supernet import Supernet


@dataclass(frozen=True)
class LabelledImages:
    """Training images in memory."""

    pixels: NDArray[np.uint8]
    """``[N, H, W, 3]`` RGB."""
    identity: NDArray[np.int64]
    """``[N]``, 0 .. number of identities - 1."""
    mean: tuple[float, float, float]
    """Of each colour, in 0..1: subtracted before the network."""
    std: tuple[float, float, float]
    """Of each colour, in 0..1: divided by before the network."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of pixels and identities."""
        digest = hashlib.sha256(str(self.pixels.shape).encode())
        for part in (self.pixels, self.identity):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class StepReport:
    """What one step did."""

    step: int
    """From 1."""
    epoch: int
    """From 1."""
    loss: tuple[float, ...]
    """Of each width, ascending."""
    uncertainty: tuple[float, ...]
    """Mean u of each width."""
    conflicting: float
    """Share of pairs of gradients, over all tensors, with a negative inner product."""
    learning_rate: float


class Training:
    """A run: supernet, optimiser and the order of everything random, which seed and step alone decide.

    Args:
        recipe: of the run.
        images: what to train on.

    Raises:
        TrainerError: too few identities for a batch, or a recipe that doesn't fit.
    """

    def __init__(self, recipe: Recipe, images: LabelledImages) -> None:
        identities = int(images.identity.max()) + 1
        if identities < recipe.identities_per_batch:
            raise TrainerError(
                f"A batch holds {recipe.identities_per_batch} identities with {recipe.images_per_identity} images "
                f"each, but the training set has {identities} identities.",
                f"Lower --batch-size to at most {identities * recipe.images_per_identity}.",
            )
        self.recipe = recipe
        self.images = images
        self.device = resolve_device(recipe.device)
        torch.manual_seed(recipe.seed)
        self.supernet = Supernet(recipe.arch, recipe.widths, recipe.embedding_dim, identities).to(self.device)
        self.steps_done = 0
        self.batches = BalancedBatches(
            images.identity, recipe.identities_per_batch, recipe.images_per_identity, recipe.seed
        )
        self._method = Sfsc(recipe)
        self._augment = Augmenter(recipe, images.mean)
        self._rows = _gradient_rows(self.supernet)
        self._optimiser = _optimiser(self.supernet, recipe)
        self._normalisation = [
            torch.tensor(values, device=self.device).view(3, 1, 1) for values in (images.mean, images.std)
        ]

    @property
    def steps(self) -> int:
        """Number of steps of the whole run."""
        return self.recipe.epochs * len(self.batches)

    def run(self, on_step: Callable[[StepReport], None], on_epoch: Callable[[int], None]) -> None:
        """Trains from where it stands to the end.

        Args:
            on_step: hears of every step; may raise to stop the run, which then stands after that step.
            on_epoch: hears the number of every epoch that ends.
        """
        while self.steps_done < self.steps:
            epoch, first = divmod(self.steps_done, len(self.batches))
            for batch in self.batches.epoch(epoch)[first:]:
                on_step(self.step(batch))
            on_epoch(epoch + 1)

    def step(self, batch: NDArray[np.int64]) -> StepReport:
        """One step on the images of these indexes.

        Raises:
            TrainerError: a loss is no longer finite.
        """
        rate = self._set_learning_rate()
        self.supernet.train()
        self._optimiser.zero_grad()
        images, target = self._inputs(batch)
        losses = self._backward_all(images, target)
        values = self._finite([loss.value.item() for loss in losses])
        settings = self.recipe.compatibility
        order = torch.Generator().manual_seed(self._seed())
        outcome = reconcile(
            self._rows,
            settings.conflict,
            priorities=priorities([loss.uncertainty for loss in losses], settings.priority),
            whole_network=settings.granularity == "network",
            generator=order,
        )
        self._rows.hand_over()
        self._optimiser.step()
        self.steps_done += 1
        return StepReport(
            step=self.steps_done,
            epoch=(self.steps_done - 1) // len(self.batches) + 1,
            loss=tuple(values),
            uncertainty=tuple(loss.uncertainty for loss in losses),
            conflicting=outcome.conflicting,
            learning_rate=rate,
        )

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        state = {"supernet": self.supernet.state_dict(), "optimiser": self._optimiser.state_dict()}
        checkpoint.save(path, recipe=self.recipe, images=self.images.digest, step=self.steps_done, state=state)

    def resume(self, path: Path) -> None:
        """Goes back to a checkpoint of the same recipe and images.

        Raises:
            TrainerError: see ``checkpoint.load``.
        """
        self.steps_done, state = checkpoint.load(path, recipe=self.recipe, images=self.images.digest)
        self.supernet.load_state_dict(state["supernet"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _inputs(self, batch: NDArray[np.int64]) -> tuple[Tensor, Target]:
        pixels = torch.from_numpy(self.images.pixels[batch]).to(self.device)
        images = self._augment(pixels.permute(0, 3, 1, 2).float() / 255, self._seed())
        mean, std = self._normalisation
        identity = torch.from_numpy(self.images.identity[batch]).to(self.device)
        return (images - mean) / std, Target(identity, self.steps_done / self.steps)

    def _backward_all(self, images: Tensor, target: Target) -> list[WidthLoss]:
        """The losses of all widths, ascending, their gradients collected; the widest goes first, as the teacher."""
        teacher: Tensor | None = None
        losses = []
        for row in reversed(range(len(self.recipe.widths))):
            output = self._output(images, self.recipe.widths[row])
            loss = self._method.loss(output, target, teacher)
            with self._rows.collecting(row):
                torch.autograd.backward(loss.value)
            teacher = output.embedding.detach() if teacher is None else teacher
            losses.append(loss)
        return losses[::-1]

    def _output(self, images: Tensor, width: float) -> Output:
        mixed = self.recipe.amp == "bfloat16" and self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            embedding = self.supernet(images, width)
        normalised = F.normalize(embedding.float())
        return Output(normalised, self.supernet.classifier(normalised))

    def _finite(self, losses: list[float]) -> list[float]:
        if not np.isfinite(losses).all():
            told = ", ".join(f"{loss:g} at width {w:g}" for loss, w in zip(losses, self.recipe.widths, strict=True))
            raise TrainerError(
                f"Training diverged at step {self.steps_done + 1} of {self.steps}: the loss is {told}.",
                "Train anew with a lower learning_rate in the recipe.",
            )
        return losses

    def _set_learning_rate(self) -> float:
        rate = learning_rate(self.recipe, self.steps_done, len(self.batches))
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


def _gradient_rows(supernet: Supernet) -> GradientRows:
    owned = [supernet.owned(width) for width in supernet.widths]
    shared = {name: parameter for name, parameter in supernet.named_parameters() if name in owned[-1]}
    return GradientRows(shared, owned)


def _optimiser(supernet: Supernet, recipe: Recipe) -> torch.optim.Optimizer:
    weights = [parameter for parameter in supernet.parameters() if parameter.dim() > 1]
    norms = [parameter for parameter in supernet.parameters() if parameter.dim() == 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
