"""One interface for every runtime, and what is asked of it: rows, and the same rows in other batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from sfsc_deploy.errors import SfscError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BATCH = 64
_SIZES = (1, 2, 7)
_FEW = 15


class Running(ABC):
    """An artifact that is ready to run.

    Attributes:
        backend: what runs it, with version.
        versions: of what is installed here, by name.
        largest: most images in one call.
    """

    backend = ""
    largest = MAX_BATCH

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}

    @abstractmethod
    def call(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed one batch: uint8 [N, H, W, 3] to float32 [N, D]; raises whatever the runtime does."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Free what it holds."""


def embed(running: Running, images: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Embed images, `size` at a time.

    Raises:
        SfscError: the runtime failed, or gave something else than float32 [N, D].
    """
    return np.concatenate([_checked(running, images[at : at + size]) for at in range(0, len(images), size)])


def try_batches(running: Running, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Embed the first `largest` images at once and in reverse order, and the first 15 one by one, by 2 and by 7.

    Returns:
        `size`, `reverse` and `max_difference` of each but the first: the largest absolute difference to its rows, None
        where the runtime failed or gave no finite numbers.
    """
    chosen = images[: running.largest]
    whole = _attempt(running, chosen, len(chosen))
    few = None if whole is None else whole[:_FEW]
    small = [_trial(running, chosen[:_FEW], few, size, False) for size in _SIZES if size < len(chosen)]
    return [*small, _trial(running, chosen, whole, len(chosen), True)]


def _trial(
    running: Running, images: NDArray[np.uint8], whole: NDArray[np.float32] | None, size: int, reverse: bool
) -> dict[str, Any]:
    step = -1 if reverse else 1
    rows = _attempt(running, images[::step], size)
    difference = None if rows is None or whole is None else float(np.abs(rows[::step] - whole).max())
    if difference is not None and not np.isfinite(difference):
        difference = None
    return {"size": size, "reverse": reverse, "max_difference": difference}


def _attempt(running: Running, images: NDArray[np.uint8], size: int) -> NDArray[np.float32] | None:
    try:
        return embed(running, images, size)
    except SfscError:
        return None


def _checked(running: Running, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    try:
        rows = np.asarray(running.call(np.ascontiguousarray(images)))
    except SfscError:
        raise
    except Exception as error:  # every runtime raises types of its own
        raise SfscError(f"It failed on a batch of {len(images)}: {str(error)[:240]}") from error
    if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != len(images):
        raise SfscError(f"It gave {rows.dtype} {list(rows.shape)} for {len(images)} images.")
    return rows
