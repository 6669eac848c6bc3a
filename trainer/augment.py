"""Random variations of training images, by kornia."""

import torch
from torch import Tensor, nn

from trainer.recipe import Recipe


class Augmenter:
    """Flips, shifts, recolours and erases images; the same seed gives the same variations.

    Args:
        recipe: which variations, and the image size.
        mean: of each colour, 0..1; erased parts are filled with the grey of its average.
    """

    def __init__(self, recipe: Recipe, mean: tuple[float, float, float]) -> None:
        self._pipeline = _pipeline(recipe, mean)

    def __call__(self, images: Tensor, seed: int) -> Tensor:
        """Varies ``[N, 3, H, W]`` float32 in 0..1, keeping shape and range."""
        devices = [images.device] if images.is_cuda else []
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(seed)
            varied: Tensor = self._pipeline(images)
        return varied


def _pipeline(recipe: Recipe, mean: tuple[float, float, float]) -> nn.Module:
    from kornia import augmentation as K

    settings = recipe.augmentation
    steps: list[nn.Module] = []
    if settings.flip:
        steps.append(K.RandomHorizontalFlip(p=settings.flip))
    if settings.padding:
        steps.append(K.RandomCrop(recipe.image_size, padding=settings.padding, padding_mode="replicate"))
    if settings.colour_jitter:
        steps.append(K.ColorJiggle(0.3, 0.3, 0.2, 0.02, p=settings.colour_jitter))
    if settings.erasing:
        steps.append(K.RandomErasing(scale=(0.02, 0.25), value=sum(mean) / 3, p=settings.erasing))
    return nn.Sequential(*steps)
