"""Networks that begin with the weights of others: where values land, and what is refused."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from tiny_supernet import HEADS, SIDE, tiny_architecture, tiny_recipe
from trainer.errors import TrainerError
from trainer.initial import initialise
from trainer.networks import Separate, build
from trainer.recipe import Recipe
from trainer.supernet import Supernet
from trainer.weight_file import WeightFile, digest, read

CHANNELS, PATCHES = 4 * HEADS, (SIDE // 4) ** 2


@pytest.fixture(autouse=True)
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def residual(classes: int = 7) -> dict[str, Tensor]:
    """A bottleneck network of stages (2, 1) with 8 and 16 channels, as torchvision would name it."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (8, 3, 7, 7), "fc.weight": (classes, 64)}
    norms = {"bn1": 8}
    for block, inputs, inner in (("layer1.0", 8, 8), ("layer1.1", 32, 8), ("layer2.0", 32, 16)):
        shapes[f"{block}.conv1.weight"] = (inner, inputs, 1, 1)
        shapes[f"{block}.conv2.weight"] = (inner, inner, 3, 3)
        shapes[f"{block}.conv3.weight"] = (4 * inner, inner, 1, 1)
        norms |= {f"{block}.bn1": inner, f"{block}.bn2": inner, f"{block}.bn3": 4 * inner}
        if block.endswith("0"):
            shapes[f"{block}.downsample.0.weight"] = (4 * inner, inputs, 1, 1)
            norms[f"{block}.downsample.1"] = 4 * inner
    for norm, size in norms.items():
        shapes |= {f"{norm}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    counters = {f"{norm}.num_batches_tracked": torch.tensor(9) for norm in norms}
    return drawn(shapes) | counters


def transformer(patches: int = PATCHES) -> dict[str, Tensor]:
    """One block of 4 heads with 4 channels, as timm would name it."""
    linear = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, CHANNELS),
        "pos_embed": (1, 1 + patches, CHANNELS),
        "patch_embed.proj.weight": (CHANNELS, 3, 4, 4),
        "patch_embed.proj.bias": (CHANNELS,),
        "head.weight": (7, CHANNELS),
    }
    for norm in ("norm", "blocks.0.norm1", "blocks.0.norm2"):
        shapes |= {f"{norm}.weight": (CHANNELS,), f"{norm}.bias": (CHANNELS,)}
    for layer, (outputs, inputs) in linear.items():
        shapes[f"blocks.0.{layer}.weight"] = (outputs * CHANNELS, inputs * CHANNELS)
        shapes[f"blocks.0.{layer}.bias"] = (outputs * CHANNELS,)
    return drawn(shapes)


def recipe(arch: str, **changed: object) -> Recipe:
    return tiny_recipe(arch=arch, **changed)


def begun(arch: str, tensors: Mapping[str, Tensor], **changed: object) -> Supernet:
    networks = build(recipe(arch, **changed), 5)
    initialise(networks, recipe(arch, **changed), WeightFile("weights.pth", tensors))
    assert isinstance(networks, Supernet)
    return networks


def test_a_residual_network_embeds_as_its_file_says_at_full_width() -> None:
    """By a calculation of its own, from the tensors of the file alone."""
    file = {name: tensor.abs() if name.endswith("running_var") else tensor for name, tensor in residual().items()}

    def normed(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (file[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, weight, bias)

    images = torch.randn(2, 3, SIDE, SIDE)
    x = F.max_pool2d(F.relu(normed(F.conv2d(images, file["conv1.weight"], None, 2, 3), "bn1")), 3, 2, 1)
    for block, stride in (("layer1.0", 1), ("layer1.1", 1), ("layer2.0", 2)):
        y = F.relu(normed(F.conv2d(x, file[f"{block}.conv1.weight"]), f"{block}.bn1"))
        y = F.relu(normed(F.conv2d(y, file[f"{block}.conv2.weight"], None, stride, 1), f"{block}.bn2"))
        y = normed(F.conv2d(y, file[f"{block}.conv3.weight"]), f"{block}.bn3")
        if block.endswith("0"):
            around = F.conv2d(x, file[f"{block}.downsample.0.weight"], None, stride)
            x = normed(around, f"{block}.downsample.1")
        x = F.relu(x + y)
    supernet = begun("tiny-bottleneck", file).eval()
    with torch.inference_mode():
        supernet(images, 1.0)
        torch.testing.assert_close(supernet.net.backbone(images), x.mean((2, 3)), rtol=1e-4, atol=1e-4)


def test_a_transformer_embeds_as_its_file_says_at_full_width() -> None:
    """By torch's own attention, which takes queries, keys and values stacked as the file has them."""
    file = transformer()
    images = torch.randn(2, 3, SIDE, SIDE)
    x = F.conv2d(images, file["patch_embed.proj.weight"], file["patch_embed.proj.bias"], 4).flatten(2).transpose(1, 2)
    x = torch.cat([file["cls_token"].expand(2, -1, -1), x], 1) + file["pos_embed"]

    def normed(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (CHANNELS,), file[f"{name}.weight"], file[f"{name}.bias"], 1e-6)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, file[f"blocks.0.{name}.weight"], file[f"blocks.0.{name}.bias"])

    attention = nn.MultiheadAttention(CHANNELS, HEADS, batch_first=True)
    names = {"in_proj_weight": "qkv.weight", "in_proj_bias": "qkv.bias"}
    names |= {"out_proj.weight": "proj.weight", "out_proj.bias": "proj.bias"}
    attention.load_state_dict({name: file[f"blocks.0.attn.{there}"] for name, there in names.items()})
    with torch.no_grad():
        y = normed(x, "blocks.0.norm1")
        x = x + attention(y, y, y, need_weights=False)[0]
        x = x + linear(F.gelu(linear(normed(x, "blocks.0.norm2"), "mlp.fc1")), "mlp.fc2")
        expected = normed(x, "norm")[:, 0]
        supernet = begun("tiny-vit", file).eval()
        supernet(images, 1.0)
        torch.testing.assert_close(supernet.net.backbone(images), expected, rtol=1e-4, atol=1e-4)


def test_every_width_begins_with_the_leading_channels_of_the_norms() -> None:
    file = residual()
    state = begun("tiny-bottleneck", file, widths=(0.25, 0.5, 1.0)).net.backbone.state_dict()
    for number, kept in enumerate((8, 16, 32)):
        for part in ("weight", "bias", "running_mean", "running_var"):
            assert torch.equal(state[f"layer1.1.bn3.norms.{number}.{part}"], file[f"layer1.1.bn3.{part}"][:kept])
        assert state[f"layer1.1.bn3.norms.{number}.num_batches_tracked"] == 0


def test_networks_that_share_nothing_all_begin_with_the_file() -> None:
    file, settings = residual(), recipe("tiny-bottleneck", method="independent")
    networks = build(settings, 5)
    initialise(networks, settings, WeightFile("weights.pth", file))
    assert isinstance(networks, Separate)
    for width in settings.widths:
        state = networks.of(width).net.backbone.state_dict()
        assert torch.equal(state["stem.0.weight"], file["conv1.weight"])
        assert torch.equal(state["stem.1.norms.0.bias"], file["bn1.bias"][: int(8 * width)])


def test_heads_stay_as_they_were_and_the_file_s_own_is_left_out() -> None:
    settings = recipe("tiny-bottleneck")
    torch.manual_seed(3)
    untouched = build(settings, 5).state_dict()
    torch.manual_seed(3)
    networks = build(settings, 5)
    fit = initialise(networks, settings, WeightFile("weights.pth", residual()))
    outside = [name for name in untouched if not name.startswith("net.backbone.")]
    assert all(torch.equal(networks.state_dict()[name], untouched[name]) for name in outside)
    assert (fit.left_out, fit.missing, fit.resized) == (("fc.weight",), (), ())
    assert fit.taken == sum("num_batches" not in name and name != "fc.weight" for name in residual())


def test_position_embeddings_are_resized_to_the_grid_of_patches() -> None:
    file = transformer(patches=9)
    plane = torch.linspace(0, 1, 3).view(1, 3, 1, 1).expand(1, 3, 3, CHANNELS)
    file["pos_embed"] = torch.cat([torch.full((1, 1, CHANNELS), 5.0), plane.reshape(1, 9, CHANNELS)], 1)
    settings = recipe("tiny-vit", image_size=(24, 12))
    networks = build(settings, 5)
    fit = initialise(networks, settings, WeightFile("weights.pth", file))
    assert fit.resized == ("tokens.pos_embed from 3 x 3 to 6 x 3 patches",)
    places = networks.state_dict()["net.backbone.tokens.pos_embed"]
    assert (places[:, 0] == 5).all()
    rows = places[0, 1:].reshape(6, 3, CHANNELS)
    assert (rows == rows[:, :1, :1]).all() or torch.allclose(rows, rows[:, :1, :1].expand_as(rows), atol=1e-6)
    assert (rows[1:, 0, 0] > rows[:-1, 0, 0]).all()
    torch.testing.assert_close(rows[:, 0, 0] + rows.flip(0)[:, 0, 0], torch.ones(6), atol=1e-5, rtol=0)


def refused(arch: str, tensors: Mapping[str, Tensor], **changed: object) -> TrainerError:
    settings = recipe(arch, **changed)
    networks = build(settings, 5)
    before = {name: tensor.clone() for name, tensor in networks.state_dict().items()}
    with pytest.raises(TrainerError) as caught:
        initialise(networks, settings, WeightFile("weights.pth", tensors))
    assert all(torch.equal(tensor, before[name]) for name, tensor in networks.state_dict().items())
    return caught.value


def test_another_architecture_is_refused_with_the_one_it_is() -> None:
    error = refused("resnet-mini", residual())
    assert "doesn't hold the weights of resnet-mini" in error.message
    assert "layer1.0.conv3.weight" in error.message
    assert error.remedy == "Its tensors are those of tiny-bottleneck: train with --arch tiny-bottleneck."


def test_a_deeper_network_is_refused_though_it_has_all_names() -> None:
    deeper = residual()
    deeper |= {name.replace("layer1.1", "layer1.2"): values for name, values in deeper.items() if "layer1.1" in name}
    error = refused("tiny-bottleneck", deeper)
    assert "15 with no place in tiny-bottleneck (layer1.2.conv1.weight" in error.message


def test_missing_tensors_are_named() -> None:
    error = refused("tiny-bottleneck", {name: values for name, values in residual().items() if "layer2" not in name})
    assert "missing from it (layer2.0.conv1.weight" in error.message
    assert "torchvision's or timm's naming" in error.remedy


def test_wrong_shapes_are_refused_by_name() -> None:
    error = refused("tiny-bottleneck", residual() | {"layer1.0.conv2.weight": torch.zeros(16, 8, 3, 3)})
    assert "layer1.0.conv2.weight [16, 8, 3, 3] where [8, 8, 3, 3] is wanted" in error.message
    error = refused("tiny-vit", transformer(patches=10))
    assert "tokens.pos_embed [1, 11, 16] where [1, 17, 16] is wanted" in error.message


def test_numbers_that_are_not_finite_are_refused() -> None:
    assert "NaN" in refused("tiny-bottleneck", residual() | {"bn1.bias": torch.full((8,), torch.nan)}).message


def test_an_unknown_naming_is_refused_with_those_known() -> None:
    assert "timm's ViT" in refused("tiny-vit", {"encoder.layer.0.weight": torch.zeros(1)}).message


@pytest.mark.parametrize("wrapped", [False, True])
def test_both_types_of_file_are_read(tmp_path: Path, wrapped: bool) -> None:
    pth, safe = str(tmp_path / "a.pth"), str(tmp_path / "a.safetensors")
    tensors = residual()
    parallel = {f"module.{name}": values for name, values in tensors.items()}
    torch.save({"state_dict": parallel, "epoch": 3} if wrapped else tensors, pth)
    save_file(tensors, safe)
    for file in (pth, safe):
        found = read(file, digest(file)).tensors
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def whole_model(path: Path) -> None:
    torch.save(nn.Linear(2, 2), path)


def without_tensors(path: Path) -> None:
    torch.save({"epoch": 3}, path)


def cut_off(path: Path) -> None:
    torch.save(residual(), path)
    path.write_bytes(path.read_bytes()[:-2000])


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("a.pth", whole_model, r"more than plain weights \(torch\.nn\.modules\.linear\.Linear\)"),
        ("a.pth", without_tensors, "no tensors by name"),
        ("a.pth", cut_off, "can't be read as weights"),
        ("a.pth", Path.touch, "can't be read as weights"),
        ("a.pth", lambda path: path.write_text("<html>"), "can't be read as weights"),
        ("a.safetensors", cut_off, "can't be read as weights"),
        ("a.safetensors", Path.touch, "can't be read as weights"),
        ("a.onnx", Path.touch, "not of a known type"),
        ("a.pth", lambda path: None, "No such file"),
        ("a.pth", Path.mkdir, "Is a directory"),
    ],
)
def test_files_that_are_no_plain_weights_are_refused(tmp_path: Path, name: str, make: object, told: str) -> None:
    assert callable(make)
    make(tmp_path / name)
    with pytest.raises(TrainerError, match=told) as caught:
        read(str(tmp_path / name))
    assert "weights_only" not in caught.value.message
    assert caught.value.remedy


def test_another_file_than_the_recipe_speaks_of_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.pth"
    torch.save(residual(), file)
    with pytest.raises(TrainerError, match="another file"):
        read(str(file), "0" * 64)
