"""Widths that were not trained: sliced, and given the statistics of images."""

import pytest

torch = pytest.importorskip("torch", reason="slices torch modules")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import nn  # noqa: E402

from sfsc_deploy import recalibration  # noqa: E402
from sfsc_deploy.data.images import Preprocessing  # noqa: E402
from sfsc_deploy.errors import SfscError  # noqa: E402
from sfsc_deploy.recalibration import recalibrate  # noqa: E402
from sfsc_deploy.slicing import slice_submodel, slice_untrained  # noqa: E402
from tiny_supernet import DIM, SIDE, calibrate, tiny_supernet  # noqa: E402
from trainer.networks import Separate  # noqa: E402
from trainer.norms import EmbeddingNorm, SwitchableNorm  # noqa: E402
from trainer.slimmable import channels  # noqa: E402
from trainer.supernet import Supernet  # noqa: E402

SIZE = Preprocessing(height=SIDE, width=SIDE)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def calibrated(widths: tuple[float, ...] = (0.5, 1.0)) -> Supernet:
    supernet = tiny_supernet(widths)
    calibrate(supernet)
    return supernet.eval()


def images(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def norms_of(model: nn.Module) -> dict[str, nn.Module]:
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, NORMS)}


def test_shared_weights_are_the_leading_ones() -> None:
    supernet = calibrated()
    submodel = slice_untrained(supernet, 0.75)
    whole = slice_submodel(supernet, 1.0)
    for name, parameter in submodel.named_parameters():
        leading = whole.get_parameter(name)[tuple(slice(size) for size in parameter.shape)]
        assert torch.equal(parameter, leading), name
    assert submodel.get_parameter("backbone.layer2.0.conv2.weight").shape[:2] == (12, 12)
    assert submodel(torch.randn(2, 3, SIDE, SIDE)).shape == (2, DIM)


def test_norms_take_scale_and_offset_from_the_next_wider_width() -> None:
    supernet = calibrated((0.25, 0.5, 1.0))
    submodel, wider = slice_untrained(supernet, 0.4), slice_submodel(supernet, 0.5)
    for name, norm in norms_of(submodel).items():
        for part in ("weight", "bias"):
            values = norm.get_parameter(part)
            assert torch.equal(values, wider.get_parameter(f"{name}.{part}")[: len(values)]), name


@pytest.mark.parametrize("width", [0.2, 0.7])
def test_statistics_are_not_borrowed(width: float) -> None:
    """Those of another width would be wrong, and nobody would notice."""
    for norm in norms_of(slice_untrained(calibrated(), width)).values():
        assert not norm.num_batches_tracked
        assert not norm.running_mean.any()


@pytest.mark.parametrize("width", [-0.5, 0.0, 0.03, 1.5])
def test_a_width_that_cannot_be_had_is_refused(width: float) -> None:
    with pytest.raises(SfscError, match="There is no sub-model of width"):
        slice_untrained(calibrated(), width)


def test_nothing_lies_between_networks_that_share_no_weights() -> None:
    networks = Separate([tiny_supernet((width,)) for width in (0.5, 1.0)])
    with pytest.raises(SfscError, match=r"a network of its own.*Choose one of 0\.5, 1"):
        slice_untrained(networks, 0.75)


def by_hand(submodel: nn.Module, pixels: NDArray[np.uint8]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Norm after norm: all images through the layers before it, which are done already, then mean and variance."""
    mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (SIZE.mean, SIZE.std))
    inputs = (torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255 - mean) / std
    submodel = submodel.double().eval()
    found = {}
    for name, norm in norms_of(submodel).items():
        taken: list[torch.Tensor] = []
        hook = norm.register_forward_pre_hook(lambda _, given, taken=taken: taken.append(given[0]))
        with torch.no_grad():
            submodel(inputs)
        hook.remove()
        rows = taken[0].transpose(0, 1).reshape(taken[0].shape[1], -1)
        found[name] = rows.mean(1), ((rows - rows.mean(1, keepdim=True)) ** 2).mean(1)
        norm.running_mean.copy_(found[name][0])
        norm.running_var.copy_(found[name][1])
    return found


@pytest.mark.parametrize("width", [0.3, 0.75])
def test_statistics_are_those_found_by_hand(width: float) -> None:
    pixels, supernet = images(40), calibrated()
    submodel = slice_untrained(supernet, width)
    recalibrate(submodel, pixels, SIZE)
    expected = by_hand(slice_untrained(supernet, width), pixels)
    assert norms_of(submodel).keys() == expected.keys()
    for name, norm in norms_of(submodel).items():
        for ours, theirs in zip((norm.running_mean, norm.running_var), expected[name], strict=True):
            torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)


def test_statistics_of_several_batches_are_over_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalibration, "BATCH", 7)
    pixels, submodel = images(40), slice_untrained(calibrated(), 0.75)
    recalibrate(submodel, pixels, SIZE)
    # What the first norm takes in depends on no norm before it: not a mean of the batches' variances.
    expected_mean, expected_variance = next(iter(by_hand(slice_untrained(calibrated(), 0.75), pixels).values()))
    first = next(iter(norms_of(submodel).values()))
    torch.testing.assert_close(first.running_mean.double(), expected_mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(first.running_var.double(), expected_variance, rtol=1e-5, atol=1e-6)


def test_nothing_but_statistics_is_changed() -> None:
    submodel = slice_untrained(calibrated(), 0.75)
    before = {name: tensor.clone() for name, tensor in submodel.named_parameters()}
    recalibrate(submodel, images(16), SIZE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in submodel.named_parameters())
    assert not any(layer.training or layer._forward_pre_hooks for layer in submodel.modules())


def test_one_more_image_than_a_batch_leaves_no_batch_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalibration, "BATCH", 16)
    recalibrate(slice_untrained(calibrated(), 0.75), images(17), SIZE)


def test_every_kind_of_norm_is_slimmed() -> None:
    """Layer norms have no statistics, but channels."""
    from trainer.norms import SwitchableLayerNorm

    for norm in (SwitchableNorm(16, (0.5, 1.0)), SwitchableLayerNorm(16, (0.5, 1.0), 4), EmbeddingNorm(16, (0.5, 1.0))):
        net = tiny_supernet()
        net.net.norm = norm
        calibrate(net)
        made = slice_untrained(net, 0.75).norm
        kept = 16 if isinstance(norm, EmbeddingNorm) else channels(16, 0.75, norm.heads)
        assert (type(made), len(made.weight)) == (type(norm.plain(1.0)), kept)
        assert torch.equal(made.weight, norm.plain(1.0).weight[:kept])


@pytest.mark.parametrize("arch", ["resnet-mini", "mobilenetv2", "vit-s"])
def test_architectures_have_widths_in_between(arch: str) -> None:
    torch.manual_seed(0)
    supernet = Supernet(arch, (0.5, 1.0), 16, 5, (32, 32))
    submodel = slice_untrained(supernet, 0.667)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    recalibrate(submodel, pixels, Preprocessing(height=32, width=32))
    with torch.no_grad():
        embedding = submodel(torch.randn(3, 3, 32, 32))
    assert embedding.shape == (3, 16)
    assert embedding.isfinite().all()
