"""Aligns the widths of a trained supernet on a sample of its training images."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trainer.alignment import IMAGES_A_DIMENSION, Alignment, LeastSquares, consensus
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


def align(supernet: Supernet, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
    """Gives each width the map that brings its embeddings closest to the consensus of all.

    Args:
        supernet: with an alignment, trained; left in evaluation mode.
        batches: images, ``[N, 3, H, W]`` float32, normalised, without augmentation, and what an older generation makes
            of them, ``[N, D]``, L2-normalised: it has a voice in the consensus, where there is one that must be fitted.
    """
    alignment = supernet.net.alignment
    assert isinstance(alignment, Alignment)
    supernet.eval()
    alignment.reset()
    squares = [LeastSquares(supernet.dim) for _ in supernet.widths]
    with torch.no_grad():
        for images, older in batches:
            embeddings = torch.stack([F.normalize(supernet(images, width)) for width in supernet.widths])
            wanted = consensus(embeddings if older is None else torch.cat([embeddings, older[None]]))
            for of_width, embedding in zip(squares, embeddings, strict=True):
                of_width.see(embedding, wanted)
        for width, of_width in zip(supernet.widths, squares, strict=True):
            alignment.set_map(width, of_width.solve())
