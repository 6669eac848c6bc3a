"""A supernet of two blocks, small enough for property tests and for whole training runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainer.alignment import Alignment
from trainer.architectures import ARCHITECTURES
from trainer.backbone import Backbone, ImageSize
from trainer.images import LabelledImages
from trainer.mobilenet import Stage, mobilenet_v2
from trainer.norms import EmbeddingNorm, SwitchableNorm
from trainer.recipe import Recipe
from trainer.resnet import Bottleneck, ResNet, resnet
from trainer.slimmable import SlimmableConv2d
from trainer.supernet import Supernet
from trainer.vit import vit

STAGES = (8, 16)
DIM = 8
SIDE = 16
HEADS = 4


def backbone(widths: Sequence[float], image_size: ImageSize) -> ResNet:
    stem = nn.Sequential(
        SlimmableConv2d(3, STAGES[0], 3, stride=2, slim_in=False),
        SwitchableNorm(STAGES[0], widths),
        nn.ReLU(),
    )
    return ResNet((1, 1), STAGES, stem, widths)


TINY: dict[str, Callable[[Sequence[float], ImageSize], Backbone]] = {
    "tiny": backbone,
    "tiny-bottleneck": partial(resnet, block=Bottleneck, blocks=(2, 1), stages=STAGES),
    "tiny-mobilenet": partial(
        mobilenet_v2, stages=(Stage(1, 8, 1, 1), Stage(6, 12, 2, 2), Stage(2, 20, 1, 1)), first=10, last=24
    ),
    "tiny-vit": partial(vit, heads=HEADS, head_dim=4, depth=1, patch=4),
}
"""One of each family, of the same classes as the full ones."""


@contextmanager
def tiny_architecture() -> Iterator[None]:
    """Inside, a recipe may ask for the architecture "tiny", or another one of ``TINY``."""
    with pytest.MonkeyPatch.context() as patch:
        for name, make in TINY.items():
            patch.setitem(ARCHITECTURES, name, make)
        yield


def tiny_supernet(
    widths: Sequence[float] = (0.5, 1.0),
    *,
    identities: int = 6,
    seed: int = 0,
    arch: str = "tiny",
    own_heads: bool = False,
    aligned: bool = False,
) -> Supernet:
    torch.manual_seed(seed)
    with tiny_architecture():
        return Supernet(arch, widths, DIM, identities, (SIDE, SIDE), own_heads=own_heads, aligned=aligned)


def calibrate(model: nn.Module, seed: int = 7) -> None:
    """Gives each norm statistics and affine parameters, each layer biases and each alignment maps that do something."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None:
            nn.init.uniform_(layer.bias, -0.5, 0.5, generator=generator)
        if isinstance(layer, Alignment):
            layer.maps += torch.empty_like(layer.maps).uniform_(-0.3, 0.3, generator=generator)
        if isinstance(layer, EmbeddingNorm | nn.LayerNorm):
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(layer.bias, -0.5, 0.5, generator=generator)
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for values, low, high in (
                (layer.running_mean, -0.5, 0.5),
                (layer.running_var, 0.2, 2.0),
                (layer.weight, 0.5, 1.5),
                (layer.bias, -0.5, 0.5),
            ):
                if values is not None:
                    values.data.uniform_(low, high, generator=generator)
            layer.num_batches_tracked.fill_(1)


def tiny_recipe(**changed: Any) -> Recipe:
    """Three epochs of two steps."""
    settings: dict[str, Any] = {
        "arch": "tiny",
        "widths": (0.5, 1.0),
        "embedding_dim": DIM,
        "image_size": SIDE,
        "epochs": 3,
        "batch_size": 16,
        "device": "cpu",
        "augmentation": {"padding": 1},
    }
    with tiny_architecture():
        return Recipe.model_validate(settings | changed)


def flat_colours(identities: int = 8, images_each: int = 4, seed: int = 0) -> LabelledImages:
    """Every identity is a colour of its own under a little noise: trivial to learn."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(30, 225, (identities, 1, 1, 1, 3))
    noise = rng.integers(-10, 11, (identities, images_each, SIDE, SIDE, 3))
    pixels = (colours + noise).astype(np.uint8).reshape(-1, SIDE, SIDE, 3)
    identity = np.repeat(np.arange(identities), images_each)
    return LabelledImages(pixels, identity, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
