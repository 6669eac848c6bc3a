"""What every backend does the same: checks, batches, closing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.embedder import Embedder


class Brightness(Embedder):
    """Embeds an image as its sum and its first value; keeps the sizes of its batches."""

    def __init__(self, size: tuple[int, int] | None = (2, 3), max_batch: int = 4) -> None:
        super().__init__(
            "a.onnx", backend="numpy", dim=2, space=None, preprocessing=None, size=size, max_batch=max_batch
        )
        self.batches: list[int] = []
        self.releases = 0

    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(images))
        return np.stack([images.sum((1, 2, 3)), images[:, 0, 0, 0]], axis=1).astype(np.float32)

    def _release(self) -> None:
        self.releases += 1


class Answering(Brightness):
    """Gives a fixed answer."""

    def __init__(self, answer: NDArray[np.generic]) -> None:
        super().__init__()
        self.answer = answer

    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.answer  # type: ignore[return-value]


def images(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, 2, 3, 3), dtype=np.uint8)


@given(count=st.integers(0, 30), max_batch=st.integers(1, 12))
def test_batches_are_full_but_the_last_and_change_nothing(count: int, max_batch: int) -> None:
    embedder = Brightness(max_batch=max_batch)
    given_images = images(count)
    expected = [[image.sum(), image[0, 0, 0]] for image in given_images]
    np.testing.assert_array_equal(
        embedder.embed(given_images), np.array(expected, np.float32).reshape(count, 2), strict=True
    )
    full, rest = divmod(count, max_batch)
    assert embedder.batches == [max_batch] * full + [rest] * bool(rest)


def test_an_exact_batch_is_one_call_beyond_the_limit() -> None:
    embedder = Brightness(max_batch=4)
    embedder.embed_batch(images(11))
    assert embedder.batches == [11]


def test_no_images_give_no_rows_and_no_call() -> None:
    embedder = Brightness()
    for embedding in (embedder.embed(images(0)), embedder.embed_batch(images(0))):
        assert embedding.shape == (0, 2)
        assert embedding.dtype == np.float32
    assert embedder.batches == []


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 2, 3, 3), np.float32),
        np.zeros((1, 3, 2, 3), np.uint8),
        np.zeros((2, 3, 3), np.uint8),
        np.zeros((1, 2, 3, 4), np.uint8),
        np.zeros((0, 5, 3, 3), np.uint8),
    ],
)
def test_other_images_are_refused_with_what_is_expected(wrong: NDArray[np.uint8]) -> None:
    for embed in (Brightness().embed, Brightness().embed_batch):
        with pytest.raises(SfscError, match=r"a\.onnx takes images as uint8 \[N, 2, 3, 3\], not"):
            embed(wrong)


def test_an_unknown_size_takes_any() -> None:
    assert Brightness(size=None).embed(np.zeros((1, 9, 9, 3), np.uint8)).shape == (1, 2)


@pytest.mark.parametrize(
    "answer", [np.zeros((3, 2)), np.zeros((2, 2), np.float32), np.zeros((3, 5), np.float32), np.array(["a"])]
)
def test_another_output_than_promised_is_an_error(answer: NDArray[np.generic]) -> None:
    with pytest.raises(SfscError, match=r"for 3 images, expected float32 \[3, 2\]"):
        Answering(answer).embed(images(3))


def test_closing_releases_once() -> None:
    with Brightness() as embedder:
        embedder.embed(images(1))
    embedder.close()
    assert embedder.releases == 1


def test_a_closed_embedder_refuses() -> None:
    embedder = Brightness()
    embedder.close()
    with pytest.raises(SfscError, match="is closed"):
        embedder.embed(images(1))


@pytest.mark.parametrize("max_batch", [0, -1])
def test_a_batch_holds_at_least_one_image(max_batch: int) -> None:
    with pytest.raises(SfscError, match="batch"):
        Brightness(max_batch=max_batch)
