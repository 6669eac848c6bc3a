"""A vision transformer of two blocks, for formats that must carry more than convolutions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE, PATCH, CHANNELS, HEADS = 16, 4, 12, 3


class Block(nn.Module):
    """Attention and two linear layers, each behind a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(CHANNELS), nn.LayerNorm(CHANNELS)
        self.qkv, self.out = nn.Linear(CHANNELS, 3 * CHANNELS), nn.Linear(CHANNELS, CHANNELS)
        self.up, self.down = nn.Linear(CHANNELS, 2 * CHANNELS), nn.Linear(2 * CHANNELS, CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.out(self._attend(self.first(x)))
        return x + self.down(F.gelu(self.up(self.second(x))))

    def _attend(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class TinyVit(nn.Module):
    """[N, 3, 16, 16] to [N, dim], by a class token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, CHANNELS, PATCH, PATCH)
        self.token = nn.Parameter(torch.randn(1, 1, CHANNELS))
        self.place = nn.Parameter(torch.randn(1, 1 + (SIDE // PATCH) ** 2, CHANNELS))
        self.blocks = nn.Sequential(Block(), Block())
        self.norm, self.head = nn.LayerNorm(CHANNELS), nn.Linear(CHANNELS, dim)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.place
        return self.head(self.norm(self.blocks(tokens))[:, 0])
