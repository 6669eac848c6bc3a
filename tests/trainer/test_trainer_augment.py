"""Random variations of training images."""

import pytest
import torch

from trainer.augment import Augmenter
from trainer.recipe import Augmentation, Recipe

NOTHING = {"flip": 0, "padding": 0, "colour_jitter": 0, "erasing": 0}
SINGLE = [{"flip": 1}, {"padding": 3}, {"colour_jitter": 1}, {"erasing": 1}]
SIZE = (16, 12)


def augmenter(**settings: float) -> Augmenter:
    augmentation = Augmentation.model_validate(NOTHING | settings)
    return Augmenter(Recipe(image_size=SIZE, augmentation=augmentation), mean=(0.2, 0.4, 0.6))


def images(count: int = 32) -> torch.Tensor:
    """With black and white in them, so that leaving the range would show."""
    drawn = torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    return drawn.mul(1.5).sub(0.25).clamp(0, 1)


@pytest.mark.parametrize("settings", [*SINGLE, {"flip": 0.5, "padding": 2, "colour_jitter": 1, "erasing": 1}])
def test_shape_and_range_are_kept_and_the_seed_decides(settings: dict[str, float]) -> None:
    augment, before = augmenter(**settings), images()
    varied = [augment(before, seed) for seed in range(20)]
    for seed, found in enumerate(varied):
        assert found.shape == before.shape
        assert found.min() >= 0
        assert found.max() <= 1
        assert torch.equal(found, augment(before, seed))
    assert torch.equal(before, images())


@pytest.mark.parametrize("settings", SINGLE[1:])
def test_another_seed_varies_otherwise(settings: dict[str, float]) -> None:
    augment = augmenter(**settings)
    assert not torch.equal(augment(images(), 1), augment(images(), 2))


def test_the_images_of_a_batch_vary_independently() -> None:
    same = images(1).expand(16, -1, -1, -1)
    varied = augmenter(padding=3)(same, 0)
    assert len({image.numpy().tobytes() for image in varied}) > 4


def test_without_variations_images_stay_as_they_are() -> None:
    assert torch.equal(augmenter()(images(), 0), images())


def test_a_flip_mirrors_left_and_right() -> None:
    assert torch.equal(augmenter(flip=1)(images(), 0), images().flip(3))


def test_a_shift_repeats_the_border_and_invents_no_value() -> None:
    varied = augmenter(padding=3)(images(), 0)
    assert torch.isin(varied, images()).all()
    assert not torch.equal(varied, images())


def test_erased_parts_have_the_average_of_the_mean() -> None:
    varied = augmenter(erasing=1)(images(), 0)
    changed = varied != images()
    assert changed.any()
    torch.testing.assert_close(varied[changed], torch.full_like(varied[changed], 0.4))


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    augmenter(flip=0.5, padding=2, colour_jitter=1, erasing=1)(images(), 0)
    assert torch.equal(torch.rand(4), expected)
