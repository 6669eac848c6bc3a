"""Decoding to RGB, orientation, resizing, and files that can't be read."""

import io
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from image_trees import truncate, write_image
from sfsc_deploy.data import decoding
from sfsc_deploy.data.images import Preprocessing, find_unreadable, read_image, read_images
from sfsc_deploy.errors import SfscError

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
AS_IT_IS = Preprocessing(height=6, width=5)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(image: Image.Image, kind: str = "PNG", **options: object) -> NDArray[np.uint8]:
    return read_image(encoded(image, kind, **options), AS_IT_IS)


def test_rgb_comes_as_it_is() -> None:
    pixels = decoded(Image.fromarray(COLOURS))
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, COLOURS)


def test_grey_is_repeated() -> None:
    grey = COLOURS[..., 0]
    np.testing.assert_array_equal(decoded(Image.fromarray(grey)), np.stack([grey] * 3, axis=-1))


def test_one_bit_is_black_and_white() -> None:
    bits = COLOURS[..., 0] > 127
    np.testing.assert_array_equal(decoded(Image.fromarray(bits)), np.stack([bits * np.uint8(255)] * 3, axis=-1))


def test_of_16_bits_the_upper_byte_is_taken() -> None:
    values = COLOURS[..., 0].astype(np.uint16) * 256 + 77
    np.testing.assert_array_equal(decoded(Image.fromarray(values))[..., 1], COLOURS[..., 0])


@pytest.mark.parametrize("alpha", [0, 255, 100])
def test_alpha_is_laid_over_white(alpha: int) -> None:
    layers = np.dstack([COLOURS, np.full(COLOURS.shape[:2], alpha, np.uint8)])
    over_white = COLOURS * (alpha / 255) + 255 * (1 - alpha / 255)
    np.testing.assert_allclose(decoded(Image.fromarray(layers)), over_white, atol=1)


def test_grey_with_alpha_is_laid_over_white() -> None:
    clear = Image.new("LA", (5, 6), (40, 0))
    assert (decoded(clear) == 255).all()


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    palette = Image.new("P", (5, 6), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    np.testing.assert_array_equal(decoded(palette)[0, 0], [10, 20, 30])
    np.testing.assert_array_equal(decoded(palette, transparency=1)[0, 0], [255, 255, 255])


def test_cmyk_becomes_rgb() -> None:
    cyan = Image.new("CMYK", (5, 6), (255, 0, 0, 0))
    np.testing.assert_allclose(decoded(cyan, "TIFF")[0, 0], [0, 255, 255], atol=3)


def test_floating_point_is_refused() -> None:
    with pytest.raises(SfscError, match="floating-point"):
        decoded(Image.new("F", (5, 6)), "TIFF")


def test_of_an_animation_the_first_frame_is_taken() -> None:
    first, second = Image.new("RGB", (5, 6), "red"), Image.new("RGB", (5, 6), "blue")
    pixels = decoded(first, "GIF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(pixels[0, 0], [255, 0, 0])


TURNED = {
    1: COLOURS,
    2: COLOURS[:, ::-1],
    3: COLOURS[::-1, ::-1],
    4: COLOURS[::-1],
    5: COLOURS.swapaxes(0, 1),
    6: np.rot90(COLOURS, -1),
    7: np.rot90(COLOURS, 2).swapaxes(0, 1),
    8: np.rot90(COLOURS),
}


@pytest.mark.parametrize(("orientation", "expected"), TURNED.items())
def test_exif_orientation_is_applied(orientation: int, expected: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    height, width, _ = expected.shape
    pixels = read_image(encoded(Image.fromarray(COLOURS), exif=exif), Preprocessing(height=height, width=width))
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("damage", [(b"MM\0*\0\0\0\x08", b"MM\0*\0\0\xff\xff"), (b"MM\0*", b"XX\0*")])
def test_damaged_exif_is_passed_over_silently(damage: tuple[bytes, bytes], kind: str) -> None:
    exif = Image.Exif()
    exif.endian = ">"
    exif[0x0112] = 6
    photo = encoded(Image.fromarray(COLOURS), kind, exif=exif)
    broken = photo.replace(*damage)
    assert broken != photo
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(broken, AS_IT_IS).shape == (6, 5, 3)


def test_resize_smooths_where_it_shrinks() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = read_image(encoded(Image.fromarray(stripes)), Preprocessing(height=8, width=4, resize="box"))
    assert small.shape == (8, 4, 3)
    assert (abs(small.astype(int) - 127.5) <= 1).all()


@pytest.mark.parametrize("resize", ["bilinear", "bicubic", "lanczos", "box"])
def test_filters_differ_and_keep_even_areas(resize: str) -> None:
    even = encoded(Image.new("RGB", (40, 30), (9, 99, 199)))
    pixels = read_image(even, Preprocessing(height=7, width=11, resize=resize))
    assert (pixels == (9, 99, 199)).all()


@pytest.mark.parametrize(
    "wrong", [{"height": 0}, {"width": 5000}, {"std": (1, 1, 0)}, {"mean": (0, 0, float("nan"))}, {"crop": 3}]
)
def test_preprocessing_is_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing(**{"height": 8, "width": 8} | wrong)


@pytest.mark.parametrize("threads", [1, 3, None])
def test_many_images_come_in_their_order(tmp_path: Path, threads: int | None) -> None:
    paths = [write_image(tmp_path / f"{number}.png") for number in range(20)]
    images = read_images(paths, AS_IT_IS, threads=threads)
    np.testing.assert_array_equal(images, [read_image(path, AS_IT_IS) for path in paths])


def test_no_images_are_an_empty_array() -> None:
    assert read_images([], AS_IT_IS).shape == (0, 6, 5, 3)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "gif", "webp", "tiff"])
def test_a_truncated_file_is_named(tmp_path: Path, kind: str) -> None:
    path = truncate(write_image(tmp_path / f"half.{kind}"))
    with pytest.raises(SfscError, match=rf"half\.{kind} can't be read: \S"):
        read_image(path, AS_IT_IS)
    [(found, reason)] = find_unreadable([path])
    assert found == path
    assert reason


def test_unreadable_files_are_found_with_their_reasons(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    paths = [write_image(tmp_path / "fine.png"), text, tmp_path / "absent.png", write_image(tmp_path / "good.jpg")]
    assert find_unreadable(paths) == [
        (text, "not an image of a known format"),
        (tmp_path / "absent.png", "no such file or directory"),
    ]


def test_a_jpeg_that_lacks_its_last_rows_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path.write_bytes(encoded(Image.fromarray(noise), "JPEG")[:-200])
    assert [found for found, _ in find_unreadable([path])] == [path]


def test_too_many_pixels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_image(tmp_path / "huge.png")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 63)
    with pytest.raises(SfscError, match=r"huge\.png .* 8 x 8 pixels"):
        read_image(path, AS_IT_IS)


def test_a_bomb_is_refused_without_a_warning(tmp_path: Path) -> None:
    header = encoded(Image.new("1", (16_000, 8_000)))
    with pytest.raises(SfscError, match="16000 x 8000 pixels"):
        read_image(header, AS_IT_IS)


def test_other_formats_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="not an image of a known format"):
        decoded(Image.fromarray(COLOURS), "EPS")


WHOLE = [encoded(Image.fromarray(COLOURS), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP")]


@given(st.sampled_from(WHOLE), st.data())
def test_damage_of_any_kind_is_told_as_such(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=4)) if damaged else ():
        damaged[place] = data.draw(st.integers(0, 255))
    with suppress(SfscError):
        assert read_image(bytes(damaged), AS_IT_IS).shape == (6, 5, 3)
