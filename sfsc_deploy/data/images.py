"""From image files to arrays that every model takes: decoding, RGB, and one stated resize."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, Field

from sfsc_deploy.errors import SfscError

Source: TypeAlias = Path | bytes
"""An image as it is stored: a file, or the bytes of one."""

MAX_PIXELS = 64_000_000
"""Larger images are refused: a small file can claim to hold more pixels than the memory."""

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
_Side = Annotated[int, Field(ge=1, le=4096)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# Pillow tells a damaged file by any of these, depending on its format.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    EOFError,
    OverflowError,
    MemoryError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


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

    Its EXIF orientation is applied; of an animation, the first frame is taken. Any mode becomes RGB: grey is
    repeated, transparency laid over white, of 16-bit values the upper byte taken, CMYK converted without its
    colour profile. Only then it is resized.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        SfscError: not an image, truncated, of an unknown mode, or larger than `MAX_PIXELS`; the file is named.
    """
    try:
        with _decoded(source) as image:
            size = (preprocessing.width, preprocessing.height)
            return np.asarray(_to_rgb(image).resize(size, _FILTERS[preprocessing.resize]))
    except _DAMAGED as error:
        name = source if isinstance(source, Path) else "An image in memory"
        raise SfscError(f"{name} can't be read: {_reason(error)}.", "Repair, replace or remove it.") from None


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
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for place, image in enumerate(pool.map(lambda source: read_image(source, preprocessing), sources)):
            images[place] = image
    return images


def find_unreadable(paths: Iterable[Path], *, threads: int | None = None) -> list[tuple[Path, str]]:
    """Decode each file in full and list those that can't be read, each with the reason.

    Truncated files are found too: their headers are fine, and only the last rows are missing.
    """
    paths = tuple(paths)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        reasons = pool.map(_why_unreadable, paths)
        return [(path, reason) for path, reason in zip(paths, reasons, strict=True) if reason]


def _why_unreadable(path: Path) -> str | None:
    try:
        with _decoded(path) as image:
            _to_rgb(image)
    except _DAMAGED as error:
        return _reason(error)
    return None


@contextmanager
def _decoded(source: Source) -> Iterator[Image.Image]:
    with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels; at most {MAX_PIXELS} are read")
        image.load()
        yield ImageOps.exif_transpose(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I"):
        return _upper_byte(image).convert("RGB")
    if image.mode == "F":
        raise ValueError("its values are floating-point numbers, whose range is not known")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _upper_byte(image: Image.Image) -> Image.Image:
    # Pillow's own conversion from 16 bit to 8 clips at 255 instead of scaling.
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).strip().rstrip(".") or type(error).__name__
