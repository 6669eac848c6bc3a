"""Arrays and a header in one safetensors file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.tensor_file import TensorFile, read_tensors, write_tensors

GRID = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    "array", [GRID, np.asfortranarray(GRID), GRID.T, GRID[::-1, ::2], np.array(3), np.zeros((0, 4)), np.array([True])]
)
def test_arrays_of_any_layout_are_read_as_they_were_written(tmp_path: Path, array: NDArray[Any]) -> None:
    write_tensors(tmp_path / "file", {"array": array}, "key", "header")
    stored = read_tensors(tmp_path / "file")
    np.testing.assert_array_equal(stored.arrays["array"], array, strict=True)
    assert stored.metadata == {"key": "header"}


def test_take_gives_what_fits() -> None:
    stored = TensorFile(Path("file"), {"grid": GRID}, {})
    for shape in ((2, 3), (None, 3), (None, None)):
        assert stored.take("grid", np.float32, shape) is GRID


@pytest.mark.parametrize("shape", [(3, 3), (2,), (2, 3, 1), ()])
def test_take_refuses_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(SfscError, match=r"file: tensor `grid` is float32 \[2, 3\], expected float32"):
        TensorFile(Path("file"), {"grid": GRID}, {}).take("grid", np.float32, shape)


def test_take_refuses_another_dtype() -> None:
    with pytest.raises(SfscError, match=r"expected float64 \[any, 3\]"):
        TensorFile(Path("file"), {"grid": GRID}, {}).take("grid", np.float64, (None, 3))


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}extra"])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(SfscError, match="cannot be read as safetensors"):
        read_tensors(tmp_path / "file")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="is not a file"):
        read_tensors(tmp_path)
