"""What an older generation, whose galleries stay in use, makes of the training images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class OldEmbeddings:
    """What a run must fit."""

    rows: NDArray[np.float32]
    """``[N, D]``, L2-normalised, of all training images, without augmentation."""
    prototypes: NDArray[np.float32]
    """``[K, D]``, L2-normalised, of their identities."""
