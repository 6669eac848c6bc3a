"""Takes a sub-model out of a supernet, as a plain module with no switch in it."""

import copy

from torch import nn

from sfsc_deploy.errors import SfscError
from trainer.networks import Networks
from trainer.slimmable import Slimmable


def slice_submodel(networks: Networks, width: float) -> nn.Module:
    """The sub-model of a trained width.

    It has weights of its own, equal to the leading ones of the supernet, and the batch norms of its width.

    Args:
        networks: left as they are.
        width: one of the widths that were trained.

    Returns:
        A module in evaluation mode: float32 ``[N, 3, H, W]``, normalised, to ``[N, D]``, not yet L2-normalised.

    Raises:
        SfscError: the width was not trained, or its batch norms have never seen an image.
    """
    if width not in networks.widths:
        trained = ", ".join(f"{trained:g}" for trained in networks.widths)
        raise SfscError(
            f"Width {width:g} was not trained: its batch norms would have no statistics. Trained: {trained}.",
            f"Choose a trained width, or train with --widths including {width:g}.",
        )
    submodel = copy.deepcopy(networks.of(width).net)
    for name, layer in list(submodel.named_modules()):
        if isinstance(layer, Slimmable):
            submodel.set_submodule(name, layer.plain(width))
    _refuse_uncalibrated(submodel, width)
    return submodel.eval()


def _refuse_uncalibrated(submodel: nn.Module, width: float) -> None:
    for name, layer in submodel.named_modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and not layer.num_batches_tracked:
            raise SfscError(
                f"Batch norm {name} of width {width:g} has never seen an image: its statistics are the initial ones.",
                "Train the supernet before slicing it.",
            )
