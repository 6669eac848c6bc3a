"""The architectures: their sizes against published figures, and the widths and images that they refuse."""

import pytest
import torch
from torch import nn

from tiny_supernet import TINY, flat_colours, tiny_architecture, tiny_recipe, tiny_supernet
from trainer.architectures import ARCHITECTURES, build
from trainer.errors import TrainerError
from trainer.loop import StepReport, Training
from trainer.mobilenet import InvertedResidual
from trainer.slimmable import SlimmableDepthwise
from trainer.supernet import Supernet

# Of torchvision's models, for vit-s of timm's, without the classifier.
PUBLISHED = {
    "resnet18": 11_176_512,
    "resnet34": 21_284_672,
    "resnet50": 23_508_032,
    "resnet101": 42_500_160,
    "mobilenetv2": 2_223_872,
    "vit-s": 21_665_664,
    "vit-b": 85_798_656,
}


@pytest.mark.parametrize("arch", PUBLISHED)
def test_the_full_width_has_as_many_parameters_as_published(arch: str) -> None:
    with torch.device("meta"):
        backbone = build(arch, (1.0,), (224, 224))
    assert sum(parameter.numel() for parameter in backbone.parameters()) == PUBLISHED[arch]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_width_gives_the_channels_that_its_head_takes(arch: str) -> None:
    widths = (0.5, 1.0)
    with torch.device("meta"):
        supernet = Supernet(arch, widths, 12, 5, (64, 32)).eval()
        assert [supernet(torch.zeros(2, 3, 64, 32), width).shape for width in widths] == [(2, 12)] * 2


@pytest.mark.parametrize("arch", TINY)
def test_every_family_learns_what_is_trivial(arch: str) -> None:
    reports: list[StepReport] = []
    with tiny_architecture():
        alone = {"distillation": 0.0, "prototypes": "all"}  # no width waits for what the widest has learnt
        recipe = tiny_recipe(arch=arch, epochs=24, learning_rate=0.05, compatibility=alone)
        training = Training(recipe, flat_colours())
        training.run(reports.append, lambda epoch: None)
    for width in range(2):
        losses = [report.loss[width] for report in reports]
        assert losses[-1] < 0.7 * losses[0]


def test_resnet_mini_and_18_keep_the_names_of_runs_that_exist() -> None:
    with torch.device("meta"):
        names = {arch: set(build(arch, (0.5, 1.0), (32, 32)).state_dict()) for arch in ("resnet-mini", "resnet18")}
    for found in names.values():
        assert {"stem.0.weight", "stem.1.norms.0.weight", "layer1.0.conv1.weight", "layer4.0.bn2.norms.1.bias"} < found


def test_a_depthwise_convolution_filters_each_channel_by_itself() -> None:
    layer = SlimmableDepthwise(6, 3, stride=2)
    layer.width = 0.5
    maps = torch.randn(2, 3, 5, 5)
    one_by_one = [
        nn.functional.conv2d(maps[:, c : c + 1], layer.weight[c : c + 1], stride=2, padding=1) for c in range(3)
    ]
    torch.testing.assert_close(layer(maps), torch.cat(one_by_one, 1))
    plain = layer.plain(0.5)
    assert isinstance(plain, nn.Conv2d)
    assert (plain.groups, plain.in_channels) == (3, 3)
    torch.testing.assert_close(plain(maps), layer(maps))


def test_inverted_residuals_go_around_only_where_the_full_shapes_agree() -> None:
    with torch.device("meta"):
        backbone = build("mobilenetv2", (1.0,), (224, 224))
    around = [layer.around for layer in backbone.modules() if isinstance(layer, InvertedResidual)]
    repeats = (1, 2, 3, 4, 3, 3, 1)
    assert around == [number > 0 for blocks in repeats for number in range(blocks)]


def test_a_width_of_a_transformer_keeps_the_leading_heads() -> None:
    """Head by head and by hand, with two of four heads."""
    supernet = tiny_supernet((0.5, 1.0), arch="tiny-vit")
    attention = supernet.net.backbone.blocks[0].attn
    full = {name: getattr(attention, name) for name in ("q", "k", "v", "proj")}
    for layer in full.values():
        nn.init.normal_(layer.bias)
        layer.width = 0.5
    x = torch.randn(2, 5, 8)
    q, k, v = (x @ full[name].weight[:8, :8].T + full[name].bias[:8] for name in "qkv")
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = (q[..., head] @ k[..., head].mT) / 4**0.5
        heads.append(scores.softmax(-1) @ v[..., head])
    expected = torch.cat(heads, -1) @ full["proj"].weight[:8, :8].T + full["proj"].bias[:8]
    torch.testing.assert_close(attention(x), expected, atol=1e-5, rtol=1e-5)


def test_widths_that_cut_through_a_head_are_refused_with_those_that_do_not() -> None:
    with pytest.raises(TrainerError, match=r"leave 1\.5, 3, 6 of 6 attention heads") as caught:
        build("vit-s", (0.25, 0.5, 1.0), (224, 224))
    assert "0.167, 0.333, 0.5, 0.667, 0.833, 1" in caught.value.remedy


def test_widths_of_three_digits_mean_whole_heads() -> None:
    with torch.device("meta"):
        supernet = Supernet("vit-s", (0.333, 0.5, 0.67, 1.0), 16, 4, (32, 32))
    assert [supernet.owned(width)["net.head.weight"][1].stop for width in supernet.widths] == [128, 192, 256, 384]


def test_widths_with_the_same_heads_are_refused() -> None:
    with pytest.raises(TrainerError, match=r"with 192, 192, 384 of 384 channels"), torch.device("meta"):
        Supernet("vit-s", (0.499, 0.5, 1.0), 16, 4, (32, 32))


def test_images_that_are_no_whole_patches_are_refused_with_a_size_that_is() -> None:
    with pytest.raises(TrainerError, match=r"48 x 50 pixels can't be cut into patches of 16 x 16") as caught:
        build("vit-b", (1.0,), (48, 50))
    assert "--image-size 48x48" in caught.value.remedy
