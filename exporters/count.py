"""What a model costs: its parameters and multiply-adds."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from exporters.errors import ExportError


@dataclass(frozen=True)
class Count:
    """Cost of a model.

    Attributes:
        parameters: weights and biases.
        multiply_adds: of convolutions, linear layers and matrix products, for one image; in attention those of queries
            with keys and of weights with values. Bias additions, norms, activations and softmax are not counted.
    """

    parameters: int
    multiply_adds: int


def count(model: nn.Module, height: int, width: int) -> Count:
    """Count what one image costs.

    Args:
        model: takes float `[N, 3, height, width]` in the type of its weights; in evaluation mode.
        height: of the image in pixels.
        width: of the image in pixels.

    Raises:
        ExportError: the model can't take an image of this size.
    """
    weights = list(model.parameters())
    image = torch.zeros(1, 3, height, width, dtype=weights[0].dtype if weights else torch.float32)
    try:
        # Fused attention has no count of its own on every device: as the two matrix products that it is, it has.
        with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(image)
    except RuntimeError as error:
        raise ExportError(
            f"The model can't embed an image of {height} x {width} pixels: {error}",
            "Give the image size that it was built for.",
        ) from error
    # The counter takes a multiply-add for two operations.
    return Count(sum(weight.numel() for weight in weights), counter.get_total_flops() // 2)
