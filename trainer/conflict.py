"""Gradient conflicts between sub-models, resolved by way of Gram matrices (PCGrad, arXiv 2001.06782).

Where the gradients of two widths have a negative inner product, one is projected onto the normal plane of the
other before they are summed. The result is a linear combination of the gradients whose coefficients follow from
their K x K inner products alone; so the gradients are read twice, once for the products and once for the
combination, and all that lies between happens on tiny matrices, for all tensors at once.

A narrow width owns only the leading region of a tensor. Widths being nested, the regions cut a tensor into rings:
ring 0 belongs to all widths, ring r to width r and the wider ones.

- ``zero-padded``: a narrow gradient counts as zero where its width owns nothing, and projections act everywhere;
  so a narrow model may move parameters that it doesn't own.
- ``shared``: the projection of a pair is taken over the region that both own, and leaves the rest alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from trainer.gradients import GradientRows, SharedTensor

Extent = Literal["none", "zero-padded", "shared"]


@dataclass(frozen=True)
class Reconciliation:
    """How the gradients of a step were reconciled."""

    conflicting: float
    """Share of the pairs of gradients, over all tensors, with a negative inner product."""


def reconcile(
    rows: GradientRows,
    extent: Extent,
    *,
    priorities: Sequence[float],
    whole_network: bool,
    generator: torch.Generator,
) -> Reconciliation:
    """Combines the collected gradients into the one that the optimiser sees.

    Args:
        rows: gradients of all widths.
        extent: over which parameters conflicting gradients are projected.
        priorities: by how much the gradient of each width is multiplied beforehand.
        whole_network: look for conflicts over all tensors together rather than in each.
        generator: draws the order of the projections.
    """
    scale = torch.tensor(priorities, dtype=torch.float64)
    grams = torch.stack([ring_grams(tensor) for tensor in rows.tensors]).double().cpu() * scale[:, None] * scale
    seen = grams.sum(0, keepdim=True) if whole_network else grams
    coefficients = (combination(seen, extent, generator) * scale).expand(len(grams), -1, -1)
    for tensor, weights in zip(rows.tensors, coefficients.tolist(), strict=True):
        combine(tensor, weights)
    return Reconciliation(_share_of_conflicts(seen.sum(1)))


def ring_grams(tensor: SharedTensor) -> Tensor:
    """Inner products of the gradients within each ring of a tensor.

    Returns:
        ``[R, K, K]`` float32, R = K rings (empty ones are zero); their sum is the Gram matrix.
    """
    count = len(tensor.regions)
    within = torch.zeros(count, count, count, device=tensor.rows.device)
    for ring, region in enumerate(tensor.regions):
        if ring and region == tensor.regions[ring - 1]:
            within[ring] = within[ring - 1]
        else:
            # The narrower ones own nothing new here: not reading them more than halves the bytes. Channel by channel,
            # the region needn't be copied, and long sums keep their precision in float32.
            owners = tensor.rows[(slice(ring, None), *region)]
            by_channel = owners.reshape(*owners.shape[:2], -1).transpose(0, 1)
            within[ring, ring:, ring:] = (by_channel @ by_channel.mT).sum(0)
    narrower = torch.arange(count, device=within.device)
    both_own = torch.minimum(narrower[:, None], narrower) >= narrower[:, None, None]
    return torch.diff(within, dim=0, prepend=torch.zeros_like(within[:1])) * both_own


def combination(grams: Tensor, extent: Extent, generator: torch.Generator) -> Tensor:
    """The coefficients of PCGrad.

    Args:
        grams: ``[T, R, K, K]`` inner products in every ring of T tensors.
        extent: over which parameters projections are taken.
        generator: draws the order in which each gradient meets the others.

    Returns:
        ``[T, R, K]`` float64: in ring r of tensor t the combined gradient is the sum over k of coefficient k times
        gradient k.
    """
    tensors, rings, count, _ = grams.shape
    projected = torch.eye(count, dtype=grams.dtype).expand(tensors, rings, count, count).clone()
    if extent != "none":
        for i in range(count):
            for j in torch.randperm(count, generator=generator).tolist():
                if i != j:
                    common = rings if extent == "zero-padded" else min(i, j) + 1
                    _project(projected[:, :common, i], grams[:, :common, j], j)
    return projected.sum(2)


def combine(tensor: SharedTensor, coefficients: list[list[float]]) -> None:
    """Writes the combined gradient of one tensor into its ``total``.

    Each gradient is added once over all that its width owns, with the coefficient of the outermost ring there; then
    again over the regions further in where its coefficient differs, by the difference. Without conflicts that is the
    plain sum.

    Args:
        tensor: the gradients.
        coefficients: ``[R][K]``, as of ``combination``.
    """
    tensor.total.zero_()
    for ring, region in enumerate(tensor.regions):
        for row in range(ring, len(tensor.regions)):
            further_out = coefficients[ring + 1][row] if row > ring else 0.0
            if coefficients[ring][row] != further_out:
                change = coefficients[ring][row] - further_out
                tensor.total[region].add_(tensor.rows[row][region], alpha=change)


def _project(gradient: Tensor, with_other: Tensor, other: int) -> None:
    """Takes from ``gradient`` (coefficients ``[T, R, K]``) its part against another one, where they conflict."""
    inner = (gradient * with_other).sum((1, 2))
    square = with_other[..., other].sum(1)
    against = torch.where((inner < 0) & (square > 0), inner / square, 0.0)
    gradient[..., other] -= against[:, None]


def _share_of_conflicts(grams: Tensor) -> float:
    count = grams.shape[-1]
    upper = torch.triu_indices(count, count, offset=1)
    pairs = grams[:, upper[0], upper[1]]
    return (pairs < 0).double().mean().item() if pairs.numel() else 0.0
