"""What the sub-models of every architecture cost, as the table of docs/method.md.

    python benchmarks/architectures.py [SIDE]

Parameters without the classifier, and multiply-adds for one square image, with embeddings of 128 numbers and batch
norms as they are before an export folds them. Prints Markdown.
"""

import sys

import torch

from exporters.count import Count, count
from sfsc_deploy.slicing import slice_submodel
from trainer.architectures import ARCHITECTURES
from trainer.supernet import Supernet

WIDTHS = (0.25, 0.5, 0.75, 1.0)
WHOLE_HEADS = {"vit-s": (0.333, 0.5, 0.667, 1.0)}
DIM, IDENTITIES = 128, 2


def main() -> int:
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    print(f"| `--arch` | widths | parameters, M | multiply-adds at {side} x {side}, M |\n|---|---|---|---|")
    for arch in ARCHITECTURES:
        widths = WHOLE_HEADS.get(arch, WIDTHS)
        costs = cost(arch, widths, side)
        parameters = ", ".join(f"{each.parameters / 1e6:.2f}" for each in costs)
        multiply_adds = ", ".join(f"{each.multiply_adds / 1e6:.0f}" for each in costs)
        print(f"| `{arch}` | {', '.join(f'{width:g}' for width in widths)} | {parameters} | {multiply_adds} |")
    return 0


def cost(arch: str, widths: tuple[float, ...], side: int) -> list[Count]:
    supernet = Supernet(arch, widths, DIM, IDENTITIES, (side, side))
    for layer in supernet.modules():
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            layer.num_batches_tracked.fill_(1)  # else a sub-model that was never trained is refused
    return [count(slice_submodel(supernet, width), side, side) for width in widths]


if __name__ == "__main__":
    sys.exit(main())
