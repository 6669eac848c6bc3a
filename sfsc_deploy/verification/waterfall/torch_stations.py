"""The stations that take torch: supernet, sub-model, folded sub-model."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporters.deployable import Deployable
from exporters.folding import fold_batch_norm
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.runtime.torch_backend import exact_float32
from sfsc_deploy.slicing import slice_submodel
from trainer.networks import Networks
from trainer.supernet import Supernet

_BATCH = 64


class Switched(nn.Module):
    """The supernet as it was trained, with its layers switched to one width."""

    def __init__(self, supernet: Supernet, width: float) -> None:
        super().__init__()
        self.supernet = supernet
        self.width = width

    def forward(self, pixels: Tensor) -> Tensor:
        """``[N, 3, H, W]`` float32, normalised, to ``[N, D]``, not yet L2-normalised."""
        embedding: Tensor = self.supernet(pixels, self.width)
        return embedding


def switched(networks: Networks, width: float) -> nn.Module:
    """The supernet that holds a width, switched to it."""
    return Switched(networks.of(width), width).eval()


def folded(networks: Networks, width: float) -> nn.Module:
    """The sub-model of a width with its batch norms folded."""
    return fold_batch_norm(slice_submodel(networks, width))


MODELS: dict[str, Callable[[Networks, float], nn.Module]] = {
    "reference": switched,
    "slicing": slice_submodel,
    "folding": folded,
}
"""What each step ends with."""


def embed(model: nn.Module, images: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Embed uint8 [N, H, W, 3] in float32, without TF32, to unit rows [N, D]."""
    deployable = Deployable(model, preprocessing.mean, preprocessing.std).eval()
    with exact_float32():
        parts = [deployable(torch.tensor(images[start : start + _BATCH])) for start in range(0, len(images), _BATCH)]
        rows: NDArray[np.float32] = torch.cat(parts).numpy()
        return rows
