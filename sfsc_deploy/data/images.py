"""From image files to arrays that every model takes: decoding, RGB, and one stated resize."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sfsc_deploy.data.decoding import Source, UnreadableError, decode, resized, without_warnings
from sfsc_deploy.errors import SfscError

_Side = Annotated[int, Field(ge=1, le=4096)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class UnreadableImageError(SfscError):
    """An image file that the user has to mend, whatever model it was read for."""


class Preprocessing(BaseModel):
    """How an image is prepared for a model; part of the identity of its embedding space.

    Attributes:
        height: of the model's input, in pixels.
        width: of the model's input, in pixels.
        resize: filter of Pillow's resize (which smooths where it shrinks), to exactly height x width.
        mean: of red, green and blue, subtracted inside of the model from values scaled to 0..1.
        std: that the model divides by afterwards. Mean and std are those of ImageNet unless told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: _Side
    width: _Side
    resize: Literal["bilinear", "bicubic", "lanczos", "box"] = "bilinear"
    mean: tuple[_Finite, _Finite, _Finite] = (0.485, 0.456, 0.406)
    std: tuple[_Positive, _Positive, _Positive] = (0.229, 0.224, 0.225)


def read_image(source: Source, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Decode an image and resize it.

    It is turned and converted to RGB as `decoding.decode` says; only then it is resized.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        SfscError: not an image, truncated, of an unknown mode, or larger than `MAX_PIXELS`; the file is named.
    """
    with without_warnings():
        return prepare_image(source, preprocessing)


def prepare_image(source: Source, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """As `read_image`, for threads: their caller silences Pillow (`without_warnings`), which they can't each do."""
    try:
        image = decode(source)
    except UnreadableError as error:
        name = source if isinstance(source, Path) else "An image in memory"
        raise UnreadableImageError(f"{name} can't be read: {error}.", "Repair, replace or remove it.") from None
    return resized(image, preprocessing.height, preprocessing.width, preprocessing.resize)


def read_images(
    sources: Sequence[Source], preprocessing: Preprocessing, *, threads: int | None = None
) -> NDArray[np.uint8]:
    """Decode and resize images, in their order.

    Args:
        sources: N images.
        preprocessing: size and filter.
        threads: as many as cores unless told.

    Returns:
        uint8 [N, H, W, 3], RGB.

    Raises:
        SfscError: as `read_image`, for the first image that can't be read.
    """
    images = np.empty((len(sources), preprocessing.height, preprocessing.width, 3), np.uint8)
    with without_warnings(), ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for place, image in enumerate(pool.map(lambda source: prepare_image(source, preprocessing), sources)):
            images[place] = image
    return images


def find_unreadable(paths: Iterable[Path], *, threads: int | None = None) -> list[tuple[Path, str]]:
    """Decode each file in full and list those that can't be read, each with the reason.

    Truncated files are found too: their headers are fine, and only the last rows are missing.
    """
    paths = tuple(paths)
    with without_warnings(), ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        reasons = pool.map(_why_unreadable, paths)
        return [(path, reason) for path, reason in zip(paths, reasons, strict=True) if reason]


def _why_unreadable(path: Path) -> str | None:
    try:
        decode(path)
    except UnreadableError as error:
        return str(error)
    return None
