"""The weights of a model in the precision asked for, refused where that would damage them."""

import copy

import torch
from torch import nn

from exporters.errors import ExportError

_LARGEST = torch.finfo(torch.float16).max


def in_precision(model: nn.Module, precision: str) -> nn.Module:
    """Copy a model with its weights in another precision.

    Args:
        model: float32; left as it is.
        precision: `float32` or `float16`.

    Raises:
        ExportError: a layer with NaN or infinite weights, or with weights beyond float16's range; it is named.
    """
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            _check(name.rpartition(".")[0], tensor, precision)
    return copy.deepcopy(model).to(getattr(torch, precision))


def _check(layer: str, tensor: torch.Tensor, precision: str) -> None:
    if not torch.isfinite(tensor).all():
        raise ExportError(
            f"Layer {layer} holds NaN or infinite weights.",
            "The training diverged: train again with a lower learning rate.",
        )
    largest = tensor.abs().max().item() if tensor.numel() else 0.0
    if precision == "float16" and largest > _LARGEST:
        raise ExportError(
            f"Layer {layer} holds a weight of {largest:g} once its batch norm is folded, float16 ends at {_LARGEST:g}.",
            "Export with --precision float32.",
        )
