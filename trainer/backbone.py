"""What every architecture has in common."""

from typing import TypeAlias

from torch import nn

ImageSize: TypeAlias = tuple[int, int]
"""Height and width in pixels."""


class Backbone(nn.Module):
    """A slimmable network without its head: ``[N, 3, H, W]``, normalised, to ``[N, features]`` at full width."""

    features: int
    """Full number of channels of its output."""
    heads: int | None = None
    """Into how many attention heads they fall, of which widths keep whole ones; None where there are none."""
