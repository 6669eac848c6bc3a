"""Every tensor of torchvision's and timm's models has its place; their names are written out here by hand."""

from collections.abc import Callable

import pytest
import torch

from trainer.architectures import build
from trainer.naming import naming_of

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
AFFINE = ("weight", "bias")


def of(layer: str, parts: tuple[str, ...]) -> list[str]:
    return [f"{layer}.{part}" for part in parts]


def resnet(blocks: tuple[int, ...], convolutions: int) -> list[str]:
    names = ["conv1.weight", *of("bn1", NORM), "fc.weight", "fc.bias"]
    for stage, depth in enumerate(blocks, start=1):
        for block in range(depth):
            for number in range(1, convolutions + 1):
                names += [f"layer{stage}.{block}.conv{number}.weight", *of(f"layer{stage}.{block}.bn{number}", NORM)]
        if stage > 1 or convolutions == 3:
            names += [f"layer{stage}.0.downsample.0.weight", *of(f"layer{stage}.0.downsample.1", NORM)]
    return names


def torchvision_mobilenet() -> list[str]:
    names = ["classifier.1.weight", "classifier.1.bias"]
    for layer in ("features.0", "features.18", "features.1.conv.0"):
        names += [f"{layer}.0.weight", *of(f"{layer}.1", NORM)]
    names += ["features.1.conv.1.weight", *of("features.1.conv.2", NORM)]
    for block in range(2, 18):
        for layer in ("conv.0", "conv.1"):
            names += [f"features.{block}.{layer}.0.weight", *of(f"features.{block}.{layer}.1", NORM)]
        names += [f"features.{block}.conv.2.weight", *of(f"features.{block}.conv.3", NORM)]
    return names


def timm_mobilenet() -> list[str]:
    names = ["conv_stem.weight", *of("bn1", NORM), "conv_head.weight", *of("bn2", NORM)]
    names += ["classifier.weight", "classifier.bias", "blocks.0.0.conv_dw.weight", "blocks.0.0.conv_pw.weight"]
    names += [*of("blocks.0.0.bn1", NORM), *of("blocks.0.0.bn2", NORM)]
    for stage, depth in ((1, 2), (2, 3), (3, 4), (4, 3), (5, 3), (6, 1)):
        for block in range(depth):
            names += [f"blocks.{stage}.{block}.{layer}.weight" for layer in ("conv_pw", "conv_dw", "conv_pwl")]
            names += [name for norm in ("bn1", "bn2", "bn3") for name in of(f"blocks.{stage}.{block}.{norm}", NORM)]
    return names


def timm_vit() -> list[str]:
    names = ["cls_token", "pos_embed", *of("patch_embed.proj", AFFINE), *of("norm", AFFINE), *of("head", AFFINE)]
    layers = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    return names + [name for block in range(12) for layer in layers for name in of(f"blocks.{block}.{layer}", AFFINE)]


def torchvision_vit(mlp: tuple[str, str]) -> list[str]:
    names = ["class_token", "encoder.pos_embedding"]
    names += [name for layer in ("conv_proj", "encoder.ln", "heads.head") for name in of(layer, AFFINE)]
    for block in range(12):
        inside = f"encoder.layers.encoder_layer_{block}"
        names += [f"{inside}.self_attention.in_proj_weight", f"{inside}.self_attention.in_proj_bias"]
        for layer in ("ln_1", "ln_2", "self_attention.out_proj", f"mlp.{mlp[0]}", f"mlp.{mlp[1]}"):
            names += of(f"{inside}.{layer}", AFFINE)
    return names


def plain_names(arch: str) -> set[str]:
    with torch.device("meta"):
        state = build(arch, (1.0,), (224, 224)).state_dict()
    return {name.replace(".norms.0.", ".") for name in state if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    ("arch", "library", "names"),
    [
        ("resnet18", "torchvision's and timm's ResNet", lambda: resnet((2, 2, 2, 2), 2)),
        ("resnet34", "torchvision's and timm's ResNet", lambda: resnet((3, 4, 6, 3), 2)),
        ("resnet50", "torchvision's and timm's ResNet", lambda: resnet((3, 4, 6, 3), 3)),
        ("resnet101", "torchvision's and timm's ResNet", lambda: resnet((3, 4, 23, 3), 3)),
        ("mobilenetv2", "torchvision's MobileNetV2", torchvision_mobilenet),
        ("mobilenetv2", "timm's MobileNetV2", timm_mobilenet),
        ("vit-s", "timm's ViT", timm_vit),
        ("vit-b", "torchvision's ViT", lambda: torchvision_vit(("0", "3"))),
        ("vit-b", "torchvision's ViT", lambda: torchvision_vit(("linear_1", "linear_2"))),
    ],
)
def test_every_tensor_of_the_library_has_its_place(arch: str, library: str, names: Callable[[], list[str]]) -> None:
    tensors = {name: torch.zeros(3) for name in names()}
    naming = naming_of(tensors)
    assert naming is not None
    assert naming.name == library
    assert set(naming.backbone(tensors)) == plain_names(arch)


def test_each_part_of_attention_is_a_layer_of_its_own() -> None:
    values = {"patch_embed.proj.weight": torch.zeros(1), "blocks.3.attn.qkv.bias": torch.arange(6.0)}
    naming = naming_of(values)
    assert naming is not None
    parts = naming.backbone(values)
    assert [parts[f"blocks.3.attn.{part}.bias"].tolist() for part in "qkv"] == [[0, 1], [2, 3], [4, 5]]


def test_names_of_another_library_are_not_known() -> None:
    assert naming_of({"encoder.layer.0.weight": torch.zeros(1)}) is None
