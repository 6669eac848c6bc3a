"""Batch norms folded into the layers before them."""

import copy
from typing import TypeAlias, TypeGuard

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from exporters.errors import ExportError

_Affine: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution or linear layer whose output it alone takes.

    Calculated in float64 and rounded once, so that the folded model differs from the original by no more than
    the rounding of its weights. A batch norm after anything else stays. A linear layer in front of a batch norm
    must give `[N, C]`, as in an embedding head.

    Args:
        model: any module that `torch.fx` can trace; left as it is.

    Returns:
        A copy on the CPU in evaluation mode, in the type of the model's weights.

    Raises:
        ExportError: a batch norm without running statistics, or a model that can't be traced.
    """
    dtype = next((weight.dtype for weight in model.parameters()), torch.float32)
    exact = copy.deepcopy(model).to("cpu", torch.float64).eval()
    norms = {name: layer for name, layer in exact.named_modules() if isinstance(layer, _BatchNorm)}
    if norms:
        _refuse_batch_statistics(norms)
        exact = _fold(_trace(exact))
    return exact.to(dtype)


def _refuse_batch_statistics(norms: dict[str, _BatchNorm]) -> None:
    for name, norm in norms.items():
        if norm.running_mean is None:
            raise ExportError(
                f"Batch norm {name} has no running statistics: "
                "the embedding of an image would depend on the other images of its batch.",
                "Build it with track_running_stats=True and calibrate it before the export.",
            )


def _trace(model: nn.Module) -> fx.GraphModule:
    try:
        return fx.symbolic_trace(model)
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        raise ExportError(
            f"The graph of {type(model).__name__} can't be traced to fold its batch norms: {error}",
            "Its forward must not branch on the values of its input.",
        ) from error


def _fold(traced: fx.GraphModule) -> fx.GraphModule:
    for node in list(traced.graph.nodes):
        norm = _layer(traced, node)
        if isinstance(norm, _BatchNorm):
            source = node.all_input_nodes[0]
            layer = _layer(traced, source)
            if _fits(layer, norm) and _feeds_only_one(traced, source):
                _fold_into(layer, norm)
                node.replace_all_uses_with(source)
                traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _layer(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None


def _fits(layer: nn.Module | None, norm: _BatchNorm) -> TypeGuard[_Affine]:
    if isinstance(layer, nn.Linear):
        return layer.out_features == norm.num_features
    return isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)


def _feeds_only_one(traced: fx.GraphModule, source: fx.Node) -> bool:
    """Tell whether a layer is called once and its output taken once, so that changing it changes nothing else."""
    calls = [node for node in traced.graph.nodes if node.op == "call_module" and node.target == source.target]
    return len(calls) == 1 and len(source.users) == 1


def _fold_into(layer: _Affine, norm: _BatchNorm) -> None:
    """Let scale = weight / sqrt(var + eps); then norm(W x + b) = (scale W) x + scale (b - mean) + bias."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -norm.running_mean if layer.bias is None else layer.bias - norm.running_mean
    bias = scale * shift if norm.bias is None else scale * shift + norm.bias
    layer.weight = nn.Parameter(layer.weight * scale.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    layer.bias = nn.Parameter(bias)
