"""Images in blocks are the images that are read at once, whoever asked for how many before."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import encoded
from sfsc_deploy.data import blocks as module
from sfsc_deploy.data.blocks import ImageBlocks, block_of
from sfsc_deploy.data.images import Preprocessing, UnreadableImageError, read_images

PREPROCESSING = Preprocessing(height=4, width=3)
SOURCES = tuple(encoded(image) for image in np.random.default_rng(0).integers(0, 256, (11, 6, 5, 3), dtype=np.uint8))
EXPECTED = read_images(SOURCES, PREPROCESSING)


@given(asked=st.lists(st.tuples(st.integers(1, 13), st.integers(0, 12)), max_size=5), in_memory=st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_pass_gives_the_same_images(asked: list[tuple[int, int]], in_memory: bool) -> None:
    """Also after passes that were given up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "IN_MEMORY", 10_000 if in_memory else 50)
        images = ImageBlocks(SOURCES, PREPROCESSING)
    for size, most in asked:
        for number, block in enumerate(images.blocks(size)):
            np.testing.assert_array_equal(block, EXPECTED[number * size : (number + 1) * size])
            if number == most:
                break
    np.testing.assert_array_equal(np.concatenate(list(images.blocks(4))), EXPECTED)
    np.testing.assert_array_equal(images.first(5), EXPECTED[:5])
    images.close()


def test_each_image_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[object] = []
    prepare = module.prepare_image
    monkeypatch.setattr(module, "prepare_image", lambda source, how: decoded.append(source) or prepare(source, how))
    images = ImageBlocks(SOURCES, PREPROCESSING)
    for size in (4, 2, 11):
        assert sum(map(len, images.blocks(size))) == len(images)
    assert len(decoded) == len(SOURCES)
    images.close()


def test_what_is_not_kept_is_decoded_again() -> None:
    images = ImageBlocks(SOURCES, PREPROCESSING, keep=False)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(images.blocks(4))), EXPECTED)
    images.close()


@pytest.mark.parametrize(("batch", "images"), [(1, 256), (64, 256), (100, 200), (300, 300)])
def test_a_block_is_whole_batches(batch: int, images: int) -> None:
    assert block_of(batch) == images


def test_no_images_are_no_blocks() -> None:
    images = ImageBlocks((), PREPROCESSING)
    assert list(images.blocks(4)) == []
    assert images.first(4).shape == (0, 4, 3, 3)
    images.close()


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    images = ImageBlocks((*SOURCES, tmp_path / "broken.png"), PREPROCESSING)
    with pytest.raises(UnreadableImageError, match=r"broken\.png can't be read"):
        list(images.blocks(3))
    images.close()
