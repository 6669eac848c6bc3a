"""A run that int8 hurts: the same function as another, but with one loud channel."""

import shutil
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from sfsc_deploy.artifact import space_id
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import PROBE, WEIGHTS, RunFolder, write_recipe
from sfsc_deploy.runtime.torch_backend import reference
from trainer.supernet import Supernet

LOUDNESS = 1000.0


def with_outlier(run: Path, target: Path) -> Path:
    """Copy a finished run of architecture "resnet-mini" and make the first channel of its first stage loud.

    Its values are a thousand times what they were and the weights that take them a thousandth, so that embeddings stay
    the same in float, while a range that holds this channel has no levels left for the others.
    """
    shutil.copytree(run, target)
    before = RunFolder.open(target)
    supernet = before.networks()
    _amplify(supernet)
    weights = supernet.state_dict()
    save_file(weights, target / WEIGHTS)
    arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    space = space_id(arrays, before.dim, before.preprocessing)
    write_recipe(target, before.recipe, before.facts.model_copy(update={"space": space}))
    after = RunFolder.open(target)
    probe = replace(Probe.load(after.probe_path), space=space, reference={})
    probe.with_references(after.widths, lambda width, images: reference(after, width).embed(images)).save(
        target / PROBE
    )
    return target


def _amplify(supernet: Supernet) -> None:
    layers = dict(supernet.named_modules())
    for name, layer in layers.items():
        if name.endswith(("stem.1", "layer1.0.bn2")):
            for norm in (part for part in layer.modules() if isinstance(part, nn.BatchNorm2d)):
                norm.weight.data[0] *= LOUDNESS
                norm.bias.data[0] *= LOUDNESS
        if name.endswith(("layer1.0.conv1", "layer2.0.conv1", "layer2.0.downsample.0")):
            layer.weight.data[:, 0] /= LOUDNESS
