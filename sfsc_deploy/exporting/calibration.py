"""Images that tell int8 its ranges, and batch norms of widths that were not trained their statistics.

They are the user's, or the run's own training images; never others.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.artifact import Calibration
from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.decoding import Source
from sfsc_deploy.data.images import Preprocessing, read_images
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.data.listing import image_files, sub_folders
from sfsc_deploy.errors import SfscError
from sfsc_deploy.run_folder import RunFolder

MOST_IMAGES = 256
"""With 64 the worst row of a run lost 0.03 of cosine; 2,048 gained nothing."""

LEAST_IMAGES = 16
"""Fewer don't show what the network's activations do."""

_REMEDY = "Give images that are like the device's: --calibration DIR."


@dataclass(frozen=True, eq=False)
class CalibrationSet:
    """Calibration images as they are fed.

    Attributes:
        images: uint8 [N, H, W, 3], RGB.
        preprocessing: that made them.
        origin: what they were taken from.
    """

    images: NDArray[np.uint8]
    preprocessing: Preprocessing
    origin: str

    def record(self) -> Calibration:
        """What sidecars keep of it; the hash is over every pixel and over how the pixels are read."""
        digest = hashlib.sha256(self.preprocessing.model_dump_json().encode())
        digest.update(str(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        return Calibration(sha256=digest.hexdigest(), images=len(self.images), origin=self.origin)


def calibration_set(
    run: RunFolder, given: Path | None, *, most: int = MOST_IMAGES, purpose: str = "to calibrate int8 with"
) -> CalibrationSet:
    """Choose and read calibration images, always the same ones of the same set.

    Args:
        run: says how images are preprocessed, and what it was trained on.
        given: a labelled data set, of which the training images are taken, or any folder of images; None: the training
            images of the run.
        most: of them.
        purpose: what they are for, in the message where they are too few.

    Raises:
        SfscError: no such images, too few of them, or one that can't be read.
    """
    sources, origin = _given(given) if given else _of_training(run)
    if len(sources) < LEAST_IMAGES:
        raise SfscError(f"{origin} has {len(sources)} images {purpose}, {LEAST_IMAGES} are needed.", _REMEDY)
    chosen = np.random.default_rng(0).permutation(len(sources))[:most]
    images = read_images([sources[row] for row in sorted(chosen.tolist())], run.preprocessing)
    return CalibrationSet(images, run.preprocessing, origin)


def _of_training(run: RunFolder) -> tuple[tuple[Source, ...], str]:
    root = Path(run.facts.root) if run.facts.root else None
    if root is not None and not root.exists():
        raise SfscError(f"The images that {run.path} was trained on are not in {root} any more.", _REMEDY)
    data = open_dataset(root, check_images=False)
    if data.name != run.facts.data:
        raise SfscError(f"The images that {run.path} was trained on ({run.facts.data}) are not at hand.", _REMEDY)
    return data.train.sources, data.name


def _given(root: Path) -> tuple[tuple[Source, ...], str]:
    if not root.exists():
        raise SfscError(f"{root} doesn't exist.", "Check the path of --calibration.")
    return (_training_images(root).sources or tuple(_below(root))), root.resolve().name


def _training_images(root: Path) -> Split:
    """Those of a labelled data set; none where it is no data set. Labels that break its rules don't matter here."""
    try:
        return open_dataset(root, check_images=False).train
    except SfscError:
        return Split()


def _below(folder: Path) -> Iterator[Path]:
    yield from image_files(folder)
    for inside in sub_folders(folder):
        yield from _below(inside)
