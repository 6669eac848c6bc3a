"""What slicing must keep, for every family of architectures, by its smallest member."""

import copy
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="slices torch modules")

from hypothesis import assume, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from sfsc_deploy.errors import SfscError  # noqa: E402
from sfsc_deploy.slicing import slice_submodel, slice_untrained  # noqa: E402
from tiny_supernet import DIM, HEADS, SIDE, TINY, calibrate, tiny_supernet  # noqa: E402
from trainer.errors import TrainerError  # noqa: E402
from trainer.slimmable import Region, Slimmable  # noqa: E402
from trainer.supernet import Supernet  # noqa: E402

SHARES = [number / HEADS for number in range(1, HEADS)]
WIDTHS = (*SHARES, 1.0)


@st.composite
def supernets(draw: st.DrawFn) -> Supernet:
    arch = draw(st.sampled_from(sorted(TINY)))
    share = st.sampled_from(SHARES) if arch == "tiny-vit" else st.floats(0.1, 0.95)
    narrow = draw(st.lists(share, max_size=3, unique=True))
    seed = draw(st.integers(0, 1000))
    try:
        own_heads, aligned = draw(st.booleans()), draw(st.booleans())
        widths = (*sorted(narrow), 1.0)
        supernet = tiny_supernet(widths, seed=seed, arch=arch, own_heads=own_heads, aligned=aligned)
    except TrainerError:
        assume(False)
    calibrate(supernet, seed)
    return supernet.eval()


def images(number: int = 2) -> torch.Tensor:
    return torch.randn(number, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def extent(region: Region, shape: torch.Size) -> list[int]:
    """How far a leading region reaches in every dimension."""
    return list(torch.empty(shape, device="meta")[region].shape)


@settings(max_examples=40, deadline=None)
@given(supernets())
def test_a_slice_equals_the_supernet_at_any_widths(supernet: Supernet) -> None:
    with torch.inference_mode():
        for width in supernet.widths:
            switched = supernet(images(), width)
            torch.testing.assert_close(slice_submodel(supernet, width)(images()), switched, atol=1e-6, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(supernets())
def test_what_a_width_owns_lies_in_what_the_next_one_owns(supernet: Supernet) -> None:
    shapes = {name: parameter.shape for name, parameter in supernet.named_parameters()}
    reaches = [
        {name: extent(region, shapes[name]) for name, region in supernet.owned(width).items()}
        for width in supernet.widths
    ]
    for narrow, wide in pairwise(reaches):
        assert narrow.keys() == wide.keys()
        assert all(a <= b for name in narrow for a, b in zip(narrow[name], wide[name], strict=True))
    assert reaches[-1] == {name: list(shapes[name]) for name in reaches[-1]}


@settings(max_examples=40, deadline=None)
@given(supernets())
def test_gradients_of_a_width_reach_all_that_it_owns_and_no_more(supernet: Supernet) -> None:
    for width in supernet.widths:
        supernet.zero_grad()
        supernet.classifier(supernet(images(3), width)).exp().sum().backward()
        owned = supernet.owned(width)
        for name, parameter in supernet.named_parameters():
            if name in owned:
                assert parameter.grad is not None
                outside = parameter.grad.clone()
                outside[owned[name]] = 0
                assert not outside.any(), name
            elif parameter.grad is not None and parameter.grad.any():
                own = supernet.widths.index(width)
                assert f".norms.{own}." in name or f"head.layers.{own}." in name


@pytest.mark.parametrize("arch", TINY)
def test_every_owned_tensor_is_used(arch: str) -> None:
    """Else the test above would pass for a region that is too large."""
    supernet = tiny_supernet(WIDTHS, arch=arch)
    calibrate(supernet)
    supernet.eval()
    for name, layer in list(supernet.named_modules()):
        if isinstance(layer, nn.ReLU | nn.ReLU6):
            supernet.set_submodule(name, nn.Softplus())  # a dead ReLU would hide what is behind it
    for width in WIDTHS:
        supernet.zero_grad()
        supernet.classifier(supernet(images(8), width)).exp().sum().backward()
        for name, region in supernet.owned(width).items():
            gradient = supernet.get_parameter(name).grad
            assert gradient is not None
            # Adding to a key adds the same to all scores of a query, and softmax takes it out again.
            if not name.endswith("attn.k.bias"):
                assert gradient[region].abs().amax(tuple(range(1, gradient.dim()))).gt(0).all(), name


@pytest.mark.parametrize("arch", TINY)
def test_a_slice_has_as_many_parameters_as_its_width_owns(arch: str) -> None:
    supernet = tiny_supernet(WIDTHS, arch=arch)
    calibrate(supernet)
    counts = []
    for number, width in enumerate(WIDTHS):
        parameters = dict(supernet.named_parameters())
        own = sum(parameter.numel() for name, parameter in parameters.items() if f".norms.{number}." in name)
        owned = {name: region for name, region in supernet.owned(width).items() if name != "classifier.weight"}
        shared = sum(parameters[name][region].numel() for name, region in owned.items())
        submodel = slice_submodel(supernet, width)
        counts.append(sum(parameter.numel() for parameter in submodel.parameters()))
        assert counts[-1] == own + shared
        assert submodel(images()).shape == (2, DIM)
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("arch", TINY)
def test_a_slice_is_plain_and_stands_alone(arch: str) -> None:
    supernet = tiny_supernet(WIDTHS, arch=arch)
    calibrate(supernet)
    before = copy.deepcopy(supernet.state_dict())
    submodel = slice_submodel(supernet.train(), 0.5)
    assert not any(isinstance(layer, Slimmable) or layer.training for layer in submodel.modules())
    with torch.no_grad():
        for tensor in submodel.state_dict().values():
            tensor.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.state_dict().items())


@pytest.mark.parametrize("arch", TINY)
def test_norms_differ_between_widths(arch: str) -> None:
    """Else the comparisons above would prove nothing about them."""
    supernet = tiny_supernet(WIDTHS, arch=arch)
    calibrate(supernet)
    own = {name: parameter for name, parameter in supernet.named_parameters() if ".norms.0." in name}
    assert own
    for name, parameter in own.items():
        widest = supernet.get_parameter(name.replace(".norms.0.", f".norms.{len(WIDTHS) - 1}."))
        assert not torch.equal(parameter, widest[: len(parameter)])


def test_a_width_with_a_part_of_a_head_is_refused_with_those_that_fit() -> None:
    supernet = tiny_supernet((0.5, 1.0), arch="tiny-vit")
    calibrate(supernet)
    with pytest.raises(SfscError, match=r"Width 0\.6 would leave 2\.4 of 4 attention heads") as caught:
        slice_untrained(supernet, 0.6)
    assert caught.value.remedy == "Choose --width among 0.25, 0.5, 0.75, 1."
    assert slice_untrained(supernet, 0.25)(images()).shape == (2, DIM)
