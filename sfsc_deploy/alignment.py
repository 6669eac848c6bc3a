"""The alignment of a sub-model whose width was not trained."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporters.deployable import Deployable
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.recalibration import BATCH
from sfsc_deploy.slicing import fuse_alignment, slice_submodel
from trainer.alignment import consensus, fit
from trainer.networks import Networks
from trainer.slimmable import linear
from trainer.supernet import EmbeddingNet


def align(submodel: EmbeddingNet, networks: Networks, images: NDArray[np.uint8], preprocessing: Preprocessing) -> None:
    """Map the embeddings of a sub-model to what the trained widths of its supernet agree on, where these are aligned.

    Args:
        submodel: a slice of the supernet with recalibrated batch norms; the head is changed.
        networks: which it was taken from.
        images: uint8 [N, H, W, 3]: training images without augmentation.
        preprocessing: mean and standard deviation of the colours.
    """
    if isinstance(submodel.alignment, nn.Identity):
        return
    trained = [_embedded(slice_submodel(networks, width), images, preprocessing) for width in networks.widths]
    wanted = consensus(torch.stack(trained))
    submodel.alignment = linear(fit(_embedded(submodel, images, preprocessing), wanted))
    fuse_alignment(submodel)


def _embedded(model: nn.Module, images: NDArray[np.uint8], preprocessing: Preprocessing) -> Tensor:
    """``[N, D]``, L2-normalised."""
    deployable = Deployable(model, preprocessing.mean, preprocessing.std)
    with torch.no_grad():
        parts = np.array_split(images, -(-len(images) // BATCH))
        return torch.cat([deployable(torch.from_numpy(part)) for part in parts])
