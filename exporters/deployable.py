"""The model as a device sees it: pixels in, normalised embedding out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from exporters.errors import ExportError

_EPSILON = 1e-12


class Deployable(nn.Module):
    """A model with everything inside that devices tend to get wrong: layout, scaling, normalisation.

    Scaling and L2 normalisation are always float32, while the model computes in the type of its own weights: in
    float16 the epsilon would be 0, so that a zero vector gave NaN, and a norm beyond 65504 would be infinite.

    Args:
        model: float `[N, 3, H, W]`, normalised, to `[N, D]`, not L2-normalised.
        mean: of each colour R, G, B, in units of 0 to 1.
        std: of each colour R, G, B, in units of 0 to 1.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        self.dtype = next((weight.dtype for weight in model.parameters()), torch.float32)
        exact_mean, exact_std = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        self.register_buffer("scale", (1 / (255 * exact_std)).float())
        self.register_buffer("offset", (exact_mean / exact_std).float())

    def forward(self, image: Tensor) -> Tensor:
        """Embed images.

        Args:
            image: uint8 `[N, H, W, 3]`, RGB.

        Returns:
            float32 `[N, D]`, rows of L2 norm 1 (a zero vector stays zero).

        Raises:
            ExportError: an input of another type or shape.
        """
        _check(image)
        pixels = (image.float() * self.scale - self.offset).permute(0, 3, 1, 2)
        # Left channels-last, torch exports pooling as a gather over computed strides.
        return self._embed(pixels.contiguous())

    def _embed(self, pixels: Tensor) -> Tensor:
        """Embed scaled pixels, float32 `[N, 3, H, W]`."""
        embedding: Tensor = self.model(pixels.to(self.dtype)).float()
        norm: Tensor = torch.linalg.vector_norm(embedding, dim=1, keepdim=True)
        return embedding / norm.clamp_min(_EPSILON)


class PlanarDeployable(Deployable):
    """The same model where the device unpacks the image itself: CoreML hands over its colours as planes of numbers."""

    def forward(self, image: Tensor) -> Tensor:
        """Embed images.

        Args:
            image: float32 `[N, 3, H, W]`, RGB, from 0 to 255.

        Returns:
            As `Deployable`.
        """
        scale, offset = (colour.reshape(1, 3, 1, 1) for colour in (self.scale, self.offset))
        return self._embed(image * scale - offset)


def _check(image: Tensor) -> None:
    if image.dtype != torch.uint8 or image.ndim != 4 or image.shape[-1] != 3:
        raise ExportError(
            f"Images of {str(image.dtype).removeprefix('torch.')} {list(image.shape)} were given, "
            "expected uint8 [N, H, W, 3].",
            "Give RGB pixels from 0 to 255, channels last: scaling happens inside.",
        )
