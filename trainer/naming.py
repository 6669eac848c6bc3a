"""How torchvision and timm name the weights of the architectures that are here as well.

Written from the module trees that both libraries document; neither can be imported here, and no file of theirs was
at hand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from trainer.mobilenet import STAGES

if TYPE_CHECKING:
    from torch import Tensor

_TORCHVISION_BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."


@dataclass(frozen=True)
class Naming:
    """The names that a library gives to the weights of a family."""

    name: str
    mark: str
    """A tensor that no other naming has."""
    head: str
    """What the names of the classifier begin with, as a regular expression."""
    rules: tuple[tuple[str, str], ...]
    """From the beginnings of names, regular expressions, to those here; the first that matches counts."""

    def is_head(self, name: str) -> bool:
        """Whether a tensor belongs to the file's own classifier."""
        return re.match(self.head, name) is not None

    def backbone(self, tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
        """The tensors of a file but for its classifier, by the names that a sub-model's backbone has here."""
        renamed: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            if not self.is_head(name) and not is_counter(name):
                renamed |= _in_parts(self._here(name), tensor)
        return renamed

    def _here(self, name: str) -> str:
        for beginning, here in self.rules:
            renamed, hits = re.subn(f"^{beginning}", here, name)
            if hits:
                return renamed
        return name


def is_counter(name: str) -> bool:
    """Whether a tensor counts the batches that a norm has seen: who starts anew has seen none."""
    return name.endswith(".num_batches_tracked")


def naming_of(tensors: Mapping[str, "Tensor"]) -> Naming | None:
    """The naming that a file follows; None where it is none of those known."""
    return next((naming for naming in NAMINGS if naming.mark in tensors), None)


def _in_parts(name: str, tensor: "Tensor") -> dict[str, "Tensor"]:
    """Queries, keys and values are layers of their own here."""
    if ".attn.qkv." not in name or tensor.shape[0] % 3:
        return {name: tensor}
    parts = tensor.chunk(3)
    return {name.replace(".qkv.", f".{part}."): values for part, values in zip("qkv", parts, strict=True)}


def _timm_mobilenet() -> tuple[tuple[str, str], ...]:
    """It numbers blocks within stages; the first block has no expansion, so that its names mean other layers."""
    starts = list(accumulate((stage.blocks for stage in STAGES), initial=1))
    whole = {"conv_stem": "layers.0.0", "bn1": "layers.0.1"}
    whole |= {"conv_head": f"layers.{starts[-1]}.0", "bn2": f"layers.{starts[-1]}.1"}
    for number, (stage, start) in enumerate(zip(STAGES, starts, strict=False)):
        inside = _EXPANDING if stage.expansion != 1 else _DEPTHWISE_FIRST
        for block in range(stage.blocks):
            there, here = f"blocks.{number}.{block}", f"layers.{start + block}.conv"
            whole |= {f"{there}.{layer}": f"{here}.{place}" for layer, place in inside.items()}
    return tuple((re.escape(f"{there}."), f"{here}.") for there, here in whole.items())


_DEPTHWISE_FIRST = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
_EXPANDING = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}

NAMINGS: Final = (
    Naming(
        "torchvision's and timm's ResNet", "conv1.weight", r"fc\.", ((r"conv1\.", "stem.0."), (r"bn1\.", "stem.1."))
    ),
    Naming("torchvision's MobileNetV2", "features.0.0.weight", r"classifier\.", ((r"features\.", "layers."),)),
    Naming("timm's MobileNetV2", "conv_stem.weight", r"classifier\.", _timm_mobilenet()),
    Naming(
        "timm's ViT",
        "patch_embed.proj.weight",
        r"head\.",
        ((r"patch_embed\.proj\.", "patch_embed."), (r"(cls_token|pos_embed)$", r"tokens.\1")),
    ),
    Naming(
        "torchvision's ViT",
        "conv_proj.weight",
        r"heads\.",
        (
            (r"conv_proj\.", "patch_embed."),
            ("class_token", "tokens.cls_token"),
            (r"encoder\.pos_embedding", "tokens.pos_embed"),
            (r"encoder\.ln\.", "norm."),
            (_TORCHVISION_BLOCK + r"ln_(\d)\.", r"blocks.\1.norm\2."),
            (_TORCHVISION_BLOCK + r"self_attention\.in_proj_", r"blocks.\1.attn.qkv."),
            (_TORCHVISION_BLOCK + r"self_attention\.out_proj\.", r"blocks.\1.attn.proj."),
            (_TORCHVISION_BLOCK + r"mlp\.(?:0|linear_1)\.", r"blocks.\1.mlp.fc1."),
            (_TORCHVISION_BLOCK + r"mlp\.(?:3|linear_2)\.", r"blocks.\1.mlp.fc2."),
        ),
    ),
)
