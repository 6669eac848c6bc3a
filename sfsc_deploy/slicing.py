"""Takes a sub-model out of a supernet, as a plain module with no switch in it."""

import copy
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from sfsc_deploy.errors import SfscError
from trainer.networks import Networks
from trainer.slimmable import (
    Slimmable,
    channels,
    keeps_whole_heads,
    linear,
    widths_of_whole_heads,
    with_leading,
)
from trainer.supernet import EmbeddingNet, Supernet


def slice_submodel(networks: Networks, width: float) -> EmbeddingNet:
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
    submodel = _replaced(networks.of(width), lambda layer: layer.plain(width)).eval()
    _refuse_uncalibrated(submodel, width)
    return fuse_alignment(submodel)


def slice_untrained(networks: Networks, width: float) -> EmbeddingNet:
    """The sub-model of a width that was not trained; its batch norms have yet to see images (`recalibration`).

    Its norms take scale and offset from the next wider width that was trained, those of the leading channels. Taken
    from the next narrower one as far as that goes, or interpolated between both, they changed mAP by less than half a
    point at widths 0.6 and 0.9, and at 0.35 for the worse.

    Args:
        networks: left as they are.
        width: below the widest that was trained.

    Returns:
        A module as of `slice_submodel`, but for the statistics, which are the initial ones, and the alignment, which
        is the identity and stands by itself.

    Raises:
        SfscError: such a width can't be had.
    """
    _refuse_unattainable(networks, width)
    wider = min(trained for trained in networks.widths if trained > width)
    return _replaced(networks.of(wider), lambda layer: _untrained(layer, width, wider)).eval()


def fuse_alignment(submodel: EmbeddingNet) -> EmbeddingNet:
    """Let the head compute norm and alignment as well: all three are linear, and a device needs but one layer.

    Calculated in float64 and rounded once.

    Args:
        submodel: plain, with statistics; without an alignment it is left as it is.

    Returns:
        The same module, in evaluation mode.
    """
    if isinstance(submodel.alignment, nn.Identity):
        return submodel.eval()
    head, norm, alignment = (copy.deepcopy(layer).cpu().double().eval() for layer in _behind(submodel))
    assert isinstance(head, nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d)
    assert isinstance(alignment, nn.Linear)
    normed = fuse_linear_bn_eval(head, norm)
    like = submodel.head.weight
    assert isinstance(like, Tensor)
    weight, bias = ((alignment.weight @ part).detach().to(like) for part in (normed.weight, normed.bias))
    submodel.head, submodel.norm, submodel.alignment = linear(weight, bias), nn.Identity(), nn.Identity()
    return submodel.eval()


def _behind(submodel: EmbeddingNet) -> tuple[nn.Module, nn.Module, nn.Module]:
    """What comes behind the backbone."""
    return submodel.head, submodel.norm, submodel.alignment


def _replaced(supernet: Supernet, plain: Callable[[Slimmable], nn.Module]) -> EmbeddingNet:
    submodel = copy.deepcopy(supernet.net)
    for name, layer in list(submodel.named_modules()):
        if isinstance(layer, Slimmable):
            submodel.set_submodule(name, plain(layer))
    return submodel


def _untrained(layer: Slimmable, width: float, wider: float) -> nn.Module:
    norm = layer.plain(wider)
    if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
        return layer.plain(width)
    return with_leading(type(norm)(_kept(layer, width) or len(norm.weight), eps=norm.eps), norm)


def _kept(layer: Slimmable, width: float) -> int | None:
    """How many channels a width leaves; None where they are not slimmed."""
    full = layer.slimmed_channels()
    return None if full is None else channels(full, width, layer.heads)


def _refuse_unattainable(networks: Networks, width: float) -> None:
    trained = ", ".join(f"{trained:g}" for trained in networks.widths)
    if not isinstance(networks, Supernet):
        raise SfscError(
            f"Width {width:g} was not trained, and there is nothing to take it from: each width has a network of its "
            "own.",
            f"Choose one of {trained}.",
        )
    layers = [layer for layer in networks.modules() if isinstance(layer, Slimmable)]
    for heads in {layer.heads for layer in layers if layer.heads}:
        _refuse_parts_of_heads(width, heads)
    if not 0 < width < networks.widths[-1] or 0 in (_kept(layer, width) for layer in layers):
        raise SfscError(
            f"There is no sub-model of width {width:g}: it must be below {networks.widths[-1]:g}, the widest that was "
            "trained, and leave every layer a channel.",
            f"Choose one in between, or one that was trained: {trained}.",
        )


def _refuse_parts_of_heads(width: float, heads: int) -> None:
    if not keeps_whole_heads(width, heads):
        raise SfscError(
            f"Width {width:g} would leave {heads * width:g} of {heads} attention heads; every width keeps whole ones.",
            f"Choose --width among {', '.join(widths_of_whole_heads(heads))}.",
        )


def _refuse_uncalibrated(submodel: nn.Module, width: float) -> None:
    for name, layer in submodel.named_modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and not layer.num_batches_tracked:
            raise SfscError(
                f"Batch norm {name} of width {width:g} has never seen an image: its statistics are the initial ones.",
                "Train the supernet before slicing it.",
            )
