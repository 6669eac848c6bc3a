"""Colourful drawings that make an exchange of colour channels visible whatever the data set looks like."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PATTERNS = 8
_CELLS = 4
_NOISE = 24


def draw_patterns(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth coloured blobs with some noise, uint8 [PATTERNS, height, width, 3].

    Red dominates blue in the even ones, blue dominates red in the odd ones.
    """
    generator = np.random.default_rng(seed)
    return np.stack([_pattern(generator, height, width, index % 2 == 1) for index in range(PATTERNS)])


def _pattern(generator: np.random.Generator, height: int, width: int, bluish: bool) -> NDArray[np.uint8]:
    cells = generator.integers(0, 256, (_CELLS, _CELLS, 3))
    cells[..., 0] = 128 + cells[..., 0] // 2
    cells[..., 2] //= 4
    smooth = Image.fromarray(cells.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    noise = generator.integers(-_NOISE, _NOISE + 1, (height, width, 3))
    pattern: NDArray[np.uint8] = np.clip(np.asarray(smooth).astype(np.int64) + noise, 0, 255).astype(np.uint8)
    return pattern[..., ::-1] if bluish else pattern
