"""Does an embedding depend on the batch that it is computed in? Tried here, judged by verification."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.embedder import Embedder

_SIZES = (1, 2, 7)
_FEW = 15  # images that are tried in small batches: two of 7 and one that is not full


class BatchTrial(BaseModel):
    """One other way to batch the same images.

    Attributes:
        size: images in a batch.
        reverse: whether their order was reversed.
        max_difference: largest absolute difference to the rows of one batch of all the images; None where the backend
            failed or gave no finite numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[int, Field(ge=1)]
    reverse: bool
    max_difference: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


def try_batches(
    embedder: Embedder, images: NDArray[np.uint8], rows: NDArray[np.float32] | None = None
) -> tuple[BatchTrial, ...]:
    """Embed the first `max_batch` images at once and in reverse order, and the first 15 one by one, by 2 and by 7.

    A backend that fails on one size fails that trial; one that fails on all images at once fails every trial.

    Args:
        embedder: what to try.
        images: uint8 [N, H, W, 3].
        rows: float32 [N, D] or more, what `embedder.embed` made of `images`; None: still to be embedded.
    """
    chosen = images[: embedder.max_batch]
    whole = _embed_by(embedder, chosen, len(chosen)) if rows is None else rows[: len(chosen)]
    few = None if whole is None else whole[:_FEW]
    sizes = [size for size in _SIZES if size < len(chosen)]
    small = [_try(embedder, chosen[:_FEW], few, size, reverse=False) for size in sizes]
    return (*small, _try(embedder, chosen, whole, len(chosen), reverse=True))


def try_reversed(embedder: Embedder, images: NDArray[np.uint8]) -> BatchTrial:
    """Embed images at once, and at once in reverse order."""
    return _try(embedder, images, _embed_by(embedder, images, len(images)), len(images), reverse=True)


def _try(
    embedder: Embedder, images: NDArray[np.uint8], whole: NDArray[np.float32] | None, size: int, reverse: bool
) -> BatchTrial:
    step = -1 if reverse else 1
    embedding = _embed_by(embedder, images[::step], size)
    if whole is None or embedding is None:
        return BatchTrial(size=size, reverse=reverse, max_difference=None)
    difference = float(np.abs(embedding[::step] - whole).max())
    return BatchTrial(size=size, reverse=reverse, max_difference=difference if np.isfinite(difference) else None)


def _embed_by(embedder: Embedder, images: NDArray[np.uint8], size: int) -> NDArray[np.float32] | None:
    try:
        return np.concatenate(
            [embedder.embed_batch(images[start : start + size]) for start in range(0, len(images), size)]
        )
    except SfscError:
        return None
