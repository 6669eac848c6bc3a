"""Decoding image files to RGB, whatever is wrong with them or special about them, and the one resize.

Goes into device kits as it is: Python 3.8, numpy and Pillow are enough.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

Source: TypeAlias = "Path | bytes"
"""An image as it is stored: a file, or the bytes of one."""

MAX_PIXELS = 64_000_000
"""Larger images are refused: a small file can claim to hold more pixels than the memory."""

# Of every format that Pillow knows, those that photographs come in: some others start programs to be read.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}

# Of the EXIF orientations, which all but 1 ask for a turn.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableError(Exception):
    """An image that can't be decoded; the text is the reason, without a full stop."""


@contextmanager
def without_warnings() -> Iterator[None]:
    """Pillow warns of damaged metadata, of which nothing is used here but the orientation.

    What others warn of is still heard: images may be decoded beside a whole training run.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def decode(source: Source) -> Image.Image:
    """Decode an image in full, turn it as its EXIF orientation asks, and convert it to RGB.

    Of an animation, the first frame is taken. Grey is repeated, transparency laid over white, of 16-bit values the
    upper byte taken, CMYK converted without its colour profile.

    Raises:
        UnreadableError: not an image of a known format, truncated, of a mode without a known range, or larger than
            `MAX_PIXELS`.
    """
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels; at most {MAX_PIXELS} are read")
            image.load()
            return _to_rgb(_upright(image))
    except Exception as error:  # Pillow raises whatever it stumbles over in a damaged file.
        raise UnreadableError(_reason(error)) from None


def resized(image: Image.Image, height: int, width: int, resize: str) -> NDArray[np.uint8]:
    """Resize an RGB image by a named filter (see `Preprocessing`), which smooths where it shrinks: uint8 [H, W, 3]."""
    return np.array(image.resize((width, height), _FILTERS[resize]))


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # As above; an image with damaged metadata is as good as one without.
        return image
    return image if turn is None else image.transpose(turn)


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


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).strip().rstrip(".") or type(error).__name__
