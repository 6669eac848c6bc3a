"""Aligns the widths of a trained supernet on a sample of its training images."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trainer.alignment import IMAGES_A_DIMENSION, Alignment, consensus, fit
from trainer.recipe import Recipe
from trainer.supernet import Supernet


def sample(images: int, recipe: Recipe) -> list[NDArray[np.int64]]:
    """Indexes of the images to fit maps to, in batches: as many as the embedding's dimension asks for, at random.

    Args:
        images: number of training images.
        recipe: whose seed decides which.
    """
    chosen = np.random.default_rng((recipe.seed, images)).permutation(images)
    chosen = np.sort(chosen[: IMAGES_A_DIMENSION * recipe.embedding_dim])
    return np.array_split(chosen, -(-len(chosen) // recipe.batch_size))


def align(supernet: Supernet, batches: Iterable[Tensor]) -> None:
    """Gives each width the map that brings its embeddings closest to the consensus of all.

    Args:
        supernet: with an alignment, trained; left in evaluation mode.
        batches: of images, ``[N, 3, H, W]`` float32, normalised, without augmentation.
    """
    alignment = supernet.net.alignment
    assert isinstance(alignment, Alignment)
    supernet.eval()
    alignment.reset()
    with torch.no_grad():
        embeddings = torch.cat([_embedded(supernet, images) for images in batches], dim=1)
        wanted = consensus(embeddings)
        for width, embedding in zip(supernet.widths, embeddings, strict=True):
            alignment.learn(width, fit(embedding, wanted))


def _embedded(supernet: Supernet, images: Tensor) -> Tensor:
    """``[K, N, D]``, L2-normalised, on the CPU."""
    return torch.stack([F.normalize(supernet(images, width)) for width in supernet.widths]).cpu()
