"""Everything that decides a training run, validated; a recipe and a data set always give the same supernet."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from trainer.architectures import ARCHITECTURES
from trainer.problems import explain, not_one_of

BaseLoss = Literal["softmax", "arcface", "cosface", "triplet", "circle"]
MethodName = Literal["sfsc", "joint", "bct", "asymmetric", "independent", "unified"]
Positive = Annotated[int, Field(gt=0)]
Priority = Literal["equal", "uncertainty"]
Share = Annotated[float, Field(ge=0, le=1)]
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
"""Kinds of devices that torch can train on."""
Side = Annotated[int, Field(gt=0, le=4096)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Augmentation(_Section):
    """How training images are varied; every share is the probability for one image."""

    flip: Share = 0.5
    padding: Annotated[int, Field(ge=0)] = 4
    """Pixels added on each side before a random crop back to the image size."""
    colour_jitter: Share = 0.5
    erasing: Share = 0.3


class Compatibility(_Section):
    """How widths are made to fit each other.

    That is the two halves of SFSC, how a narrow model's loss is weighed (magnitude) and how gradients are reconciled
    (direction), what widths share, and how they are brought together in the end.
    """

    loss: Literal["uncertainty", "plain"] = "uncertainty"
    """``uncertainty``: expected cross-entropy under a Dirichlet; ``plain``: the loss of the widest model."""
    evidence_scale: Annotated[float, Field(gt=0, le=30)] = 16.0
    """Evidence is exp(scale x cosine): the scale decides whether it can outgrow the number of identities."""
    head: Literal["own", "all"] = "own"
    """Whether each width has a head of the embedding for itself, or all teach the leading columns of one."""
    prototypes: Literal["all", "widest"] = "all"
    """Which widths teach the shared prototypes: all, or the widest alone, whom the narrower ones then follow."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.0
    """Final weight of the pull of misleading evidence to the uniform Dirichlet, annealed linearly from 0."""
    distillation: Annotated[float, Field(ge=0)] = 0.0
    """Final weight of the pull of a narrow model's embedding towards the widest one's of the same image, annealed
    linearly from 0: early on the widest has nothing to teach."""
    alignment: Literal["consensus", "none"] = "consensus"
    """Whether, once all widths are trained, each one's embedding is mapped linearly to what they together make of the
    training images: see ``trainer.alignment``."""
    priority: Priority = "equal"
    """``uncertainty``: each width's gradient of what it shares is weighed by its uncertainty relative to the mean."""
    old_generation: Annotated[float, Field(ge=0)] = 1.0
    """Weight of being recognised by an older generation's prototypes, where a run must fit one."""
    conflict: Literal["none", "zero-padded", "shared"] = "shared"
    """Over which parameters conflicting gradients are projected: see ``trainer.conflict``."""
    granularity: Literal["tensor", "network"] = "tensor"
    """Whether conflicts are looked for in every tensor or over the whole network at once."""


_OF_EVERY_METHOD = {"evidence_scale", "old_generation"}
"""Settings of compatibility that more than SFSC alone looks at."""


class Init(_Section):
    """Weights to begin with."""

    file: str
    """Path, as it was given, of weights in torchvision's or timm's naming; a resumed run doesn't need it."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Of the file; None: any, and a run writes down which it was."""


class Recipe(_Section):
    """A training recipe; the defaults are made for small images on a small CPU."""

    method: MethodName = "sfsc"
    """How the sub-models are made to fit each other: see ``trainer.methods``."""
    loss: BaseLoss = "softmax"
    """By what the widest model learns to discriminate: see ``trainer.base_loss``."""
    arch: str = "resnet-mini"
    widths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    embedding_dim: Annotated[int, Field(ge=2)] = 128
    image_size: tuple[Side, Side] = (48, 48)
    """Height and width in pixels."""
    epochs: Positive = 32
    batch_size: Positive = 64
    images_per_identity: Annotated[int, Field(ge=2)] = 4
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    softmax_scale: Annotated[float, Field(gt=0)] = 16.0
    """Scale of the cosines in every softmax, margins included."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    device: str = "auto"
    amp: Literal["off", "bfloat16"] = "off"
    """Mixed precision of the forward pass; on CUDA devices only."""
    augmentation: Augmentation = Augmentation()
    compatibility: Compatibility = Compatibility()
    init: Init | None = None
    """What the backbone begins with; None: random weights."""

    @field_validator("arch", mode="after")
    @classmethod
    def _known(cls, arch: str) -> str:
        if arch not in ARCHITECTURES:
            raise ValueError(not_one_of(arch, ARCHITECTURES))
        return arch

    @field_validator("device", mode="after")
    @classmethod
    def _of_known_kind(cls, device: str) -> str:
        if device.partition(":")[0] not in DEVICES:
            raise ValueError(f"{not_one_of(device, DEVICES)}; the second of several is cuda:1")
        return device

    @field_validator("image_size", mode="before")
    @classmethod
    def _square(cls, value: object) -> object:
        return (value, value) if isinstance(value, int) else value

    @field_validator("widths", mode="after")
    @classmethod
    def _ascending(cls, widths: tuple[float, ...]) -> tuple[float, ...]:
        if not widths or any(not 0 < width <= 1 for width in widths):
            raise ValueError("widths are shares of the channels: each above 0 and at most 1")
        if len(set(widths)) < len(widths):
            raise ValueError("a width appears twice")
        if max(widths) != 1:
            raise ValueError("the widest must be 1.0: it is the supernet itself")
        return tuple(sorted(widths))

    @model_validator(mode="after")
    def _whole_identities(self) -> "Recipe":
        if self.batch_size % self.images_per_identity or self.batch_size < 2 * self.images_per_identity:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple, at least twice, of images_per_identity "
                f"{self.images_per_identity}"
            )
        return self

    @property
    def trained_widths(self) -> tuple[float, ...]:
        """The widths that the run will have: ``unified`` puts the narrowest everywhere."""
        return self.widths[:1] if self.method == "unified" else self.widths

    @property
    def own_heads(self) -> bool:
        """Whether each width has a head for itself; where one network holds them all, other methods share one."""
        return self.method == "sfsc" and self.compatibility.head == "own"

    @property
    def aligned(self) -> bool:
        """Whether widths are brought together once they are trained; by other methods they are not."""
        return self.method == "sfsc" and self.compatibility.alignment == "consensus"

    def differing(self, other: "Recipe") -> list[str]:
        """The settings, by name, in which another recipe differs; not those that the method of each doesn't look at."""
        mine, theirs = self.in_effect(), other.in_effect()
        return [name for name in type(self).model_fields if getattr(mine, name) != getattr(theirs, name)]

    def in_effect(self) -> "Recipe":
        """With defaults in place of what has no effect on the method."""
        if self.method == "sfsc":
            return self
        heard = self.compatibility.model_dump(include=_OF_EVERY_METHOD)
        return self.model_copy(update={"compatibility": Compatibility.model_validate(heard)})

    def written(self) -> dict[str, Any]:
        """As a run writes it down: without what has no effect on the method."""
        settings = self.model_dump(mode="json", exclude_none=True)
        if self.method != "sfsc":
            settings["compatibility"] = self.compatibility.model_dump(mode="json", include=_OF_EVERY_METHOD)
        return settings

    @property
    def identities_per_batch(self) -> int:
        """P of the P x K images of a batch."""
        return self.batch_size // self.images_per_identity


def completed(settings: dict[str, Any]) -> dict[str, Any]:
    """What a run wrote down, with what couldn't be chosen yet when it was trained.

    A run writes every setting: what is absent it did as was usual then, whatever the default is today.

    Args:
        settings: as read from the run's recipe or checkpoint.
    """
    known = settings.get("compatibility", {})
    if not isinstance(known, dict):
        return settings  # validation tells
    return settings | {"compatibility": {"prototypes": "all", "head": "all", "alignment": "none"} | known}


def parse_recipe(settings: dict[str, Any], source: str) -> Recipe:
    """Validates settings.

    Args:
        settings: as read from TOML or the command line.
        source: where they come from, for the error.

    Raises:
        TrainerError: names each wrong key and what it expects.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise explain(error, Recipe, source) from None
