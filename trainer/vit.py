"""Slimmable vision transformers (arXiv 2010.11929): a width keeps the leading attention heads, whole ones.

The channels of the tokens are divided among the heads, and those of the MLP are a multiple of them, so all of them
follow the heads. Names are those of timm, but that the three parts of its ``qkv`` are three layers here: each part
keeps its leading rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.backbone import Backbone, ImageSize
from trainer.errors import TrainerError
from trainer.norms import SwitchableLayerNorm
from trainer.slimmable import (
    Region,
    Slimmable,
    SlimmableConv2d,
    SlimmableLinear,
    keeps_whole_heads,
    widths_of_whole_heads,
    with_leading,
)

HEAD_DIM, PATCH, DEPTH, MLP_RATIO = 64, 16, 12, 4


class Tokens(nn.Module):
    """Puts the class token before the patches and adds to each what tells its place.

    Args:
        number: of patches.
        channels: of a token.
    """

    def __init__(self, number: int, channels: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + number, channels))

    def forward(self, patches: Tensor) -> Tensor:
        """``[N, T, C]`` to ``[N, 1 + T, C]``."""
        return _with_class_token(patches, self.cls_token, self.pos_embed)


class SlimmableTokens(Tokens, Slimmable):
    """The same with as many channels as the width has."""

    def __init__(self, number: int, channels: int, heads: int) -> None:
        super().__init__(number, channels)
        self.heads = heads
        for parameter in self.parameters():
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, patches: Tensor) -> Tensor:
        """``[N, T, C(width)]`` to ``[N, 1 + T, C(width)]``."""
        kept = patches.shape[-1]
        return _with_class_token(patches, self.cls_token[..., :kept], self.pos_embed[..., :kept])

    def plain(self, width: float) -> nn.Module:
        """``Tokens`` with copies of the leading channels."""
        _, tokens, full = self.pos_embed.shape
        return with_leading(Tokens(tokens - 1, self._kept(full, width)), self)

    def owned(self, width: float) -> dict[str, Region]:
        """The leading channels."""
        region = (slice(None), slice(None), slice(self._kept(self.pos_embed.shape[-1], width)))
        return {"cls_token": region, "pos_embed": region}

    def slimmed_channels(self) -> int | None:
        """The full number of channels of a token."""
        return self.pos_embed.shape[-1]


class Attention(nn.Module):
    """Attention between the tokens of an image, head by head."""

    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.q, self.k, self.v, self.proj = (_linear(heads, head_dim, head_dim) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, C]`` to the same shape."""
        query, key, value = (self._of_each_head(part(x)) for part in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(query, key, value, scale=self.head_dim**-0.5)
        mixed: Tensor = self.proj(attended.transpose(1, 2).reshape(-1, x.shape[1], x.shape[2]))
        return mixed

    def _of_each_head(self, x: Tensor) -> Tensor:
        """``[N, T, C]`` to ``[N, heads, T, head dim]``; how many heads there are follows from the channels."""
        return x.reshape(-1, x.shape[1], x.shape[2] // self.head_dim, self.head_dim).transpose(1, 2)


class Mlp(nn.Module):
    """Two linear layers."""

    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        self.fc1 = _linear(heads, head_dim, MLP_RATIO * head_dim)
        self.act = nn.GELU()
        self.fc2 = _linear(heads, MLP_RATIO * head_dim, head_dim)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, C]`` to the same shape."""
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention and two linear layers, each behind a norm, each with a way around."""

    def __init__(self, heads: int, head_dim: int, widths: Sequence[float]) -> None:
        super().__init__()
        channels = heads * head_dim
        self.norm1 = SwitchableLayerNorm(channels, widths, heads)
        self.attn = Attention(heads, head_dim)
        self.norm2 = SwitchableLayerNorm(channels, widths, heads)
        self.mlp = Mlp(heads, head_dim)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, C]`` to the same shape."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class VisionTransformer(Backbone):
    """Patches, blocks, and the class token at the end: ``[N, 3, H, W]`` to ``[N, features]``.

    The class token stands for the image, rather than the mean of all tokens: the published weights, which ``--init``
    takes, were trained with it.

    Args:
        widths: the widths that are trained.
        image_size: height and width in pixels, multiples of the patch.
        heads: full number of attention heads.
        head_dim: channels of a head, at any width.
        depth: number of blocks.
        patch: side of a patch in pixels.

    Raises:
        TrainerError: a size that isn't a multiple of the patch, or a width with a part of a head.
    """

    def __init__(
        self, widths: Sequence[float], image_size: ImageSize, *, heads: int, head_dim: int, depth: int, patch: int
    ) -> None:
        super().__init__()
        _refuse_parts_of_patches(image_size, patch)
        _refuse_parts_of_heads(widths, heads)
        self.heads = heads
        self.features = heads * head_dim
        self.grid = (image_size[0] // patch, image_size[1] // patch)
        self.patch_embed = SlimmableConv2d(
            3, self.features, patch, stride=patch, padding=0, bias=True, slim_in=False, heads=heads
        )
        self.patches = self.grid[0] * self.grid[1]
        self.tokens = SlimmableTokens(self.patches, self.features, heads)
        self.blocks = nn.Sequential(*(Block(heads, head_dim, widths) for _ in range(depth)))
        self.norm = SwitchableLayerNorm(self.features, widths, heads)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 3, H, W]`` float32, normalised, to ``[N, features(width)]``."""
        maps = self.patch_embed(x)
        patches = maps.reshape(-1, maps.shape[1], self.patches).transpose(1, 2)
        tokens: Tensor = self.norm(self.blocks(self.tokens(patches)))
        return tokens[:, 0]


def vit(
    widths: Sequence[float],
    image_size: ImageSize,
    *,
    heads: int,
    head_dim: int = HEAD_DIM,
    depth: int = DEPTH,
    patch: int = PATCH,
) -> VisionTransformer:
    """A standard vision transformer: small with 6 heads, base with 12."""
    return VisionTransformer(widths, image_size, heads=heads, head_dim=head_dim, depth=depth, patch=patch)


def _linear(heads: int, inputs: int, outputs: int) -> SlimmableLinear:
    """Of so many channels a head."""
    return SlimmableLinear(heads * inputs, heads * outputs, bias=True, slim_out=True, heads=heads)


def _with_class_token(patches: Tensor, token: Tensor, place: Tensor) -> Tensor:
    # No size of the batch in it: an export would read that from the shape of the uint8 image, which not all can.
    return F.pad(patches, (0, 0, 1, 0)) + F.pad(token, (0, 0, 0, place.shape[1] - 1)) + place


def _refuse_parts_of_patches(image_size: ImageSize, patch: int) -> None:
    if any(side % patch for side in image_size):
        height, width = image_size
        fitting = "x".join(str(max(1, round(side / patch)) * patch) for side in image_size)
        raise TrainerError(
            f"Images of {height} x {width} pixels can't be cut into patches of {patch} x {patch}.",
            f"Set sides that are multiples of {patch} (--image-size {fitting}).",
        )


def _refuse_parts_of_heads(widths: Sequence[float], heads: int) -> None:
    if not all(keeps_whole_heads(width, heads) for width in widths):
        told = ", ".join(f"{heads * width:g}" for width in widths)
        raise TrainerError(
            f"Widths {', '.join(f'{width:g}' for width in widths)} leave {told} of {heads} attention heads; "
            "every width keeps whole ones.",
            f"Set widths (--widths) among {', '.join(widths_of_whole_heads(heads))}.",
        )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
