"""A sub-model is what a width leaves of the supernet, as a plain module."""

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="slices torch modules")

from torch import nn  # noqa: E402

from sfsc_deploy.errors import SfscError  # noqa: E402
from sfsc_deploy.slicing import slice_submodel  # noqa: E402
from tiny_supernet import DIM, SIDE, calibrate, tiny_supernet  # noqa: E402
from trainer.slimmable import Slimmable, channels  # noqa: E402
from trainer.supernet import Supernet  # noqa: E402

BLOCKS = {"resnet-mini": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}
STAGES = {"resnet-mini": (32, 64, 128, 256), "resnet18": (64, 128, 256, 512)}
STEM_KERNEL = {"resnet-mini": 3, "resnet18": 7}
WIDTHS = (0.25, 0.5, 0.75, 1.0)
ORDINARY = {nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Linear, nn.BatchNorm1d}


def calibrated(arch: str = "resnet-mini") -> Supernet:
    torch.manual_seed(0)
    supernet = Supernet(arch, WIDTHS, 16, 5, (48, 32))
    calibrate(supernet)
    return supernet.eval()


def largest_difference(supernet: Supernet, width: float, images: torch.Tensor) -> float:
    with torch.inference_mode():
        return (slice_submodel(supernet, width)(images) - supernet(images, width)).abs().max().item()


@pytest.mark.parametrize("arch", BLOCKS)
def test_a_slice_equals_the_supernet_at_its_width(arch: str) -> None:
    supernet = calibrated(arch)
    images = torch.randn(3, 3, 48, 32)
    assert all(largest_difference(supernet, width, images) < 1e-6 for width in WIDTHS)


def test_widths_have_different_batch_norms() -> None:
    """Else the comparisons above would prove nothing about them."""
    supernet = calibrated()
    slices = [slice_submodel(supernet, width) for width in WIDTHS]
    means = [part.norm.running_mean for part in slices]
    assert not any(torch.equal(means[0], other) for other in means[1:])


@pytest.mark.parametrize("make", [lambda: calibrated(), lambda: aligned()], ids=["as it is", "aligned"])
def test_a_slice_is_plain_and_in_evaluation_mode(make: Callable[[], Supernet]) -> None:
    submodel = slice_submodel(make().train(), 0.5)
    assert not any(isinstance(layer, Slimmable) or layer.training for layer in submodel.modules())
    assert {type(layer) for layer in submodel.modules() if not list(layer.children())} <= ORDINARY


def aligned() -> Supernet:
    supernet = tiny_supernet(own_heads=True, aligned=True)
    calibrate(supernet)
    return supernet.eval()


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_an_aligned_slice_computes_head_norm_and_alignment_in_one_layer(width: float) -> None:
    supernet, images = aligned(), torch.randn(3, 3, SIDE, SIDE)
    submodel = slice_submodel(supernet, width)
    assert isinstance(submodel.head, nn.Linear)
    assert (submodel.head.out_features, submodel.head.bias is None) == (DIM, False)
    assert isinstance(submodel.norm, nn.Identity)
    assert isinstance(submodel.alignment, nn.Identity)
    with torch.inference_mode():
        torch.testing.assert_close(submodel(images), supernet(images, width), atol=1e-5, rtol=1e-5)
        step_by_step = supernet.net.norm(supernet.net.head(supernet.net.backbone(images)))
        assert not torch.allclose(submodel(images), step_by_step, atol=0.01)


@pytest.mark.parametrize("make", [calibrated, aligned])
def test_changing_a_slice_leaves_the_supernet_alone(make: Callable[[], Supernet]) -> None:
    supernet = make()
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    for width in (0.5, 1.0):
        submodel = slice_submodel(supernet, width)
        with torch.no_grad():
            for tensor in submodel.state_dict().values():
                tensor.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.state_dict().items())
    assert any(isinstance(layer, Slimmable) for layer in supernet.modules())


@pytest.mark.parametrize("arch", BLOCKS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_slice_has_as_many_parameters_as_its_shape_says(arch: str, width: float) -> None:
    submodel = slice_submodel(calibrated(arch), width)
    assert sum(parameter.numel() for parameter in submodel.parameters()) == expected_parameters(arch, width, dim=16)


def test_resnet18_is_the_standard_one() -> None:
    """11,689,512 parameters are published for it with a classifier of 1000 classes (512 x 1000 + 1000)."""
    backbone = slice_submodel(calibrated("resnet18"), 1.0).backbone
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 11_689_512 - 513_000


def expected_parameters(arch: str, width: float, dim: int) -> int:
    stages = [channels(full, width) for full in STAGES[arch]]
    count = stages[0] * 3 * STEM_KERNEL[arch] ** 2 + 2 * stages[0]
    inputs = stages[0]
    for outputs, depth in zip(stages, BLOCKS[arch], strict=True):
        count += inputs * outputs + 2 * outputs if inputs != outputs else 0
        for _ in range(depth):
            count += (inputs + outputs) * outputs * 9 + 4 * outputs
            inputs = outputs
    return count + inputs * dim + 2 * dim


def test_the_dtype_of_the_supernet_is_kept() -> None:
    supernet = calibrated().double()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    assert largest_difference(supernet, 0.5, images) < 1e-12


def test_a_width_that_was_not_trained_is_refused() -> None:
    with pytest.raises(SfscError, match=r"Width 0\.3 was not trained.*Trained: 0\.25, 0\.5, 0\.75, 1\."):
        slice_submodel(calibrated(), 0.3)


def test_batch_norms_that_have_seen_nothing_are_refused() -> None:
    supernet = tiny_supernet()
    supernet.train()(torch.randn(4, 3, SIDE, SIDE), 1.0)
    assert slice_submodel(supernet, 1.0)(torch.randn(1, 3, SIDE, SIDE)).shape == (1, DIM)
    with pytest.raises(SfscError, match=r"Batch norm backbone\.stem\.1 of width 0\.5 has never seen an image"):
        slice_submodel(supernet, 0.5)
