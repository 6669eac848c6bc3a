"""Layers of which every width keeps the leading channels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainer.slimmable import SlimmableConv2d, SlimmableLinear, channels


@pytest.mark.parametrize(
    ("full", "width", "kept"), [(64, 0.25, 16), (10, 0.25, 3), (6, 0.25, 2), (3, 0.5, 2), (32, 1.0, 32), (8, 0.01, 0)]
)
def test_channels_round_half_up(full: int, width: float, kept: int) -> None:
    assert channels(full, width) == kept


@given(st.integers(1, 4096), st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_wider_model_never_has_fewer_channels(full: int, one: float, other: float) -> None:
    narrow, wide = sorted((one, other))
    assert 0 <= channels(full, narrow) <= channels(full, wide) <= full


def test_a_convolution_computes_with_the_leading_channels() -> None:
    layer = SlimmableConv2d(4, 6, 3, stride=2)
    layer.width = 0.5
    images = torch.randn(2, 2, 5, 5)
    padded = torch.cat([images, torch.zeros(2, 2, 5, 5)], 1)
    whole = nn.functional.conv2d(padded, layer.weight, stride=2, padding=1)
    torch.testing.assert_close(layer(images), whole[:, :3], atol=1e-6, rtol=1e-5)


def test_the_first_convolution_keeps_all_colours() -> None:
    layer = SlimmableConv2d(3, 8, 3, slim_in=False)
    layer.width = 0.25
    assert layer(torch.randn(1, 3, 4, 4)).shape == (1, 2, 4, 4)
    assert layer.owned(0.25) == {"weight": (slice(2), slice(3))}


def test_a_linear_layer_keeps_its_whole_output() -> None:
    layer = SlimmableLinear(8, 5)
    layer.width = 0.25
    x = torch.randn(3, 2)
    torch.testing.assert_close(layer(x), x @ layer.weight[:, :2].T)


@pytest.mark.parametrize(
    "layer", [SlimmableConv2d(4, 8, 3), SlimmableConv2d(3, 8, 1, slim_in=False), SlimmableLinear(8, 4)]
)
@pytest.mark.parametrize("width", [0.25, 0.5, 1.0])
def test_what_a_width_owns_is_what_its_gradient_reaches(layer: SlimmableConv2d | SlimmableLinear, width: float) -> None:
    layer.width = width
    plain = layer.plain(width)
    inputs = plain.weight.shape[1]
    x = torch.randn(2, inputs, 4, 4) if isinstance(layer, SlimmableConv2d) else torch.randn(2, inputs)
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    reached = gradient != 0
    assert reached[layer.owned(width)["weight"]].all()
    assert reached.sum() == plain.weight.numel()


@pytest.mark.parametrize("layer", [SlimmableConv2d(4, 8, 3), SlimmableLinear(8, 4)])
def test_a_plain_layer_has_weights_of_its_own(layer: SlimmableConv2d | SlimmableLinear) -> None:
    before = layer.weight.detach().clone()
    nn.init.zeros_(layer.plain(1.0).weight)
    assert torch.equal(layer.weight, before)


def test_a_plain_layer_has_the_dtype_of_the_slimmable_one() -> None:
    assert SlimmableConv2d(4, 8, 3).double().plain(0.5).weight.dtype == torch.float64
