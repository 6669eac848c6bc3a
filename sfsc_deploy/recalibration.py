"""Statistics for the batch norms of a sub-model whose width was not trained (post-statistics, arXiv 1903.05134)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporters.deployable import Deployable
from sfsc_deploy.data.images import Preprocessing

BATCH = 128
"""Images at once. While statistics are taken, each batch is normalised by its own, as in training."""

BatchNorm: TypeAlias = nn.BatchNorm1d | nn.BatchNorm2d


def recalibrate(submodel: nn.Module, images: NDArray[np.uint8], preprocessing: Preprocessing) -> None:
    """Give each batch norm the mean and variance of all that it takes in, exactly, instead of a moving average.

    Args:
        submodel: whose batch norms are changed; left in evaluation mode.
        images: uint8 [N, H, W, 3], N at least 2: training images without augmentation. They are taken in an order that
            N alone decides.
        preprocessing: mean and standard deviation of the colours.
    """
    norms = [layer for layer in submodel.modules() if isinstance(layer, BatchNorm)]
    submodel.eval()
    model = Deployable(submodel, preprocessing.mean, preprocessing.std)
    with _watched(norms) as moments, torch.no_grad():
        for rows in _batches(len(images)):
            model(torch.from_numpy(images[rows]))
    for norm, seen in zip(norms, moments, strict=True):
        seen.hand_to(norm)
    submodel.eval()


class _Moments:
    """Sums over all values of each channel, float64 [C]."""

    def __init__(self) -> None:
        self._count = 0
        self._sum = self._squares = torch.zeros(1, dtype=torch.float64)

    def see(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Adds what a norm is about to normalise, ``[N, C, ...]``."""
        del norm
        values = inputs[0].double().transpose(0, 1).flatten(1)
        self._count += values.shape[1]
        self._sum = self._sum + values.sum(1)
        self._squares = self._squares + values.square().sum(1)

    def hand_to(self, norm: BatchNorm) -> None:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        mean = self._sum / self._count
        norm.running_mean.copy_(mean)
        norm.running_var.copy_((self._squares / self._count - mean.square()).clamp(min=0))
        norm.num_batches_tracked.fill_(1)


@contextmanager
def _watched(norms: list[BatchNorm]) -> Iterator[list[_Moments]]:
    with ExitStack() as stack:
        moments = []
        for norm in norms:
            moments.append(_Moments())
            stack.enter_context(norm.train().register_forward_pre_hook(moments[-1].see))
        yield moments


def _batches(count: int) -> list[NDArray[np.int64]]:
    # Shuffled, since sets are stored by identity, and a batch of few of them is like no other.
    return np.array_split(np.random.default_rng(0).permutation(count), -(-count // BATCH))
