import numpy as np
import pytest
import torch
from torch import nn

from exporters import ExportError
from exporters.deployable import Deployable

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _flat(dim: int = 3 * 4 * 5) -> nn.Module:
    return nn.Flatten() if dim == 60 else nn.Sequential(nn.Flatten(), nn.Linear(60, dim))


def _images(number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randint(0, 256, (number, 4, 5, 3), dtype=torch.uint8, generator=generator)


def test_scales_normalises_and_turns_channels_first_once() -> None:
    images = _images(2)
    expected = ((images.numpy() / 255 - np.array(MEAN)) / np.array(STD)).transpose(0, 3, 1, 2).reshape(2, -1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(Deployable(_flat(), MEAN, STD)(images).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("number", [0, 1, 2, 17])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_any_number_of_images_gives_float32_rows_of_norm_one(number: int, dtype: torch.dtype) -> None:
    embedding = Deployable(_flat(8).to(dtype), MEAN, STD)(_images(number))
    assert embedding.dtype == torch.float32
    assert embedding.shape == (number, 8)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(number))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_zero_vector_stays_zero(dtype: torch.dtype) -> None:
    model = _flat(8).to(dtype)
    for weight in model.parameters():
        nn.init.zeros_(weight)
    assert torch.equal(Deployable(model, MEAN, STD)(_images(2)), torch.zeros(2, 8))


def test_a_norm_beyond_float16_is_normalised_all_the_same() -> None:
    model = _flat(8).half()
    nn.init.zeros_(model[1].weight)
    nn.init.constant_(model[1].bias, 60000.0)
    torch.testing.assert_close(Deployable(model, MEAN, STD)(_images(1)), torch.full((1, 8), 8**-0.5))


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (torch.zeros(2, 4, 5, 3), r"float32 \[2, 4, 5, 3\]"),
        (torch.zeros(2, 3, 4, 5, dtype=torch.uint8), r"uint8 \[2, 3, 4, 5\]"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), r"uint8 \[4, 5, 3\]"),
    ],
)
def test_another_input_is_refused(images: torch.Tensor, found: str) -> None:
    with pytest.raises(ExportError, match=found + r" were given, expected uint8 \[N, H, W, 3\]"):
        Deployable(_flat(), MEAN, STD)(images)
