"""Projecting K = 4 conflicting gradients of 25 M floats, beside the usual way and one read of the buffer.

    python benchmarks/gradient_projection.py

Prints one JSON object and exits with 1 when both ways disagree. They take turns in one run and the fastest round of
each counts: on a busy machine the ratios say more than the times.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainer.conflict import Extent, reconcile
from trainer.gradients import GradientRows
from trainer.norms import SwitchableNorm
from trainer.resnet import ResNet
from trainer.slimmable import Slimmable, SlimmableConv2d

WIDTHS = (0.25, 0.5, 0.75, 1.0)
STAGES = (96, 192, 384, 768)  # ResNet-18 with half as many channels again
ROUNDS = 5
SEED = 0
TOLERANCE = 1e-3  # by as much a float32 dot product over 25 M floats, as the usual way takes it, may err


def main() -> int:
    rows = gradient_rows()
    draw(rows)
    ways: dict[str, Callable[[], object]] = {
        "one_read": rows.buffer.sum,
        "shared_by_tensor": lambda: project(rows, "shared", whole_network=False),
        "zero_padded_by_tensor": lambda: project(rows, "zero-padded", whole_network=False),
        "zero_padded_whole_network": lambda: project(rows, "zero-padded", whole_network=True),
        "usual": lambda: usual(rows),
    }
    rounds = [{name: timed(way) for name, way in ways.items()} for _ in range(ROUNDS)]
    best = {name: min(times[name] for times in rounds) for name in ways}
    difference = relative_difference(rows)
    report = {
        "gradients": len(WIDTHS),
        "floats_each": rows.buffer.shape[1],
        "milliseconds": {name: round(1e3 * time, 1) for name, time in best.items()},
        "reads_of_the_buffer": {name: round(time / best["one_read"], 1) for name, time in best.items()},
        "usual_over_ours": round(best["usual"] / best["zero_padded_whole_network"], 1),
        "relative_difference": difference,
        "threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(report, indent=2))
    return int(difference > TOLERANCE)


def gradient_rows() -> GradientRows:
    """The buffer of a slimmable ResNet-18 at four widths."""
    stem = nn.Sequential(SlimmableConv2d(3, STAGES[0], 7, stride=2, slim_in=False), SwitchableNorm(STAGES[0], WIDTHS))
    backbone = ResNet((2, 2, 2, 2), STAGES, stem, WIDTHS)
    layers = {name: layer for name, layer in backbone.named_modules() if isinstance(layer, Slimmable)}
    owned = [
        {f"{name}.{part}": region for name, layer in layers.items() for part, region in layer.owned(width).items()}
        for width in WIDTHS
    ]
    return GradientRows({name: tensor for name, tensor in backbone.named_parameters() if name in owned[0]}, owned)


def draw(rows: GradientRows) -> None:
    """Random gradients, of which the widest is against all others."""
    generator = torch.Generator().manual_seed(SEED)
    for tensor in rows.tensors:
        common = torch.randn(tensor.parameter.shape, generator=generator)
        for row, region in enumerate(tensor.regions):
            drawn = torch.randn(tensor.parameter.shape, generator=generator)
            against = -1 if row == len(WIDTHS) - 1 else 1
            tensor.rows[row][region] = (drawn + 0.3 * against * common)[region]


def project(rows: GradientRows, extent: Extent, *, whole_network: bool) -> None:
    reconcile(
        rows,
        extent,
        priorities=[1.0] * len(WIDTHS),
        whole_network=whole_network,
        generator=torch.Generator().manual_seed(SEED),
    )


def usual(rows: GradientRows) -> Tensor:
    """PCGrad as it is commonly written: copies, dot products of flat vectors, and masks of what each gradient has."""
    generator = torch.Generator().manual_seed(SEED)
    gradients = [torch.cat([tensor.rows[row].flatten() for tensor in rows.tensors]) for row in range(len(WIDTHS))]
    has = torch.stack([gradient != 0 for gradient in gradients])
    projected = [gradient.clone() for gradient in gradients]
    for i, gradient in enumerate(projected):
        for j in torch.randperm(len(WIDTHS), generator=generator).tolist():
            inner = torch.dot(gradient, gradients[j])
            if i != j and inner < 0:
                gradient -= inner * gradients[j] / gradients[j].norm() ** 2
    everywhere = has.all(0)
    merged = torch.zeros_like(gradients[0])
    merged[everywhere] = torch.stack([gradient[everywhere] for gradient in projected]).sum(0)
    merged[~everywhere] = torch.stack([gradient[~everywhere] for gradient in projected]).sum(0)
    return merged


def relative_difference(rows: GradientRows) -> float:
    project(rows, "zero-padded", whole_network=True)
    found = torch.cat([tensor.total.flatten() for tensor in rows.tensors])
    return float((found - usual(rows)).norm() / found.norm())


def timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
