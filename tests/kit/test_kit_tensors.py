"""The runner reads and writes the files of the safetensors library."""

import contextlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save

from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.runner.tensors import read, write

ARRAYS = {
    "embedding": np.arange(12, dtype=np.float32).reshape(3, 4),
    "is_query": np.array([True, False, True]),
    "identity": np.array([-1, 5, 2**40]),
    "half": np.array([0.5, 2], np.float16),
    "pixel": np.arange(7, dtype=np.uint8),
    "empty": np.empty((0, 4), np.float32),
}


def test_the_library_reads_what_it_writes(tmp_path: Path) -> None:
    write(tmp_path / "a", ARRAYS, {"key": "text ä"})
    with safe_open(tmp_path / "a", framework="numpy") as opened:
        assert opened.metadata() == {"key": "text ä"}
        assert set(opened.keys()) == set(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(opened.get_tensor(name), array, strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_it_reads_what_the_library_writes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(save(ARRAYS, metadata={"key": "text"}))
    arrays, metadata = read(tmp_path / "a")
    assert metadata == {"key": "text"}
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def framed(header: object, data: bytes = b"\0" * 8) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(**changed: object) -> dict[str, object]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changed}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**60) + b"{}",
        framed(b"{"),
        framed(b"\xff\xfe"),
        framed([1]),
        framed(b"[" * 100_000),
        framed({"a": 5}),
        framed(entry(dtype="F31")),
        framed(entry(shape=[2**40])),
        framed(entry(shape=[-2])),
        framed(entry(shape="ab")),
        framed(entry(data_offsets=[0, 80])),
        framed(entry(data_offsets=[8, 0])),
        framed(entry(data_offsets=[-8, 0])),
        framed(entry(data_offsets=[0.0, 8.0])),
        framed({"__metadata__": 7}),
    ],
)
def test_what_is_broken_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SfscError, match="is no safetensors file"):
        read(tmp_path / "a")


@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
@settings(max_examples=150, deadline=None)
def test_damage_gives_an_error_or_arrays(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(save(ARRAYS))
    for place, value in flips:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: len(content) - cut] if cut else content)
    with contextlib.suppress(SfscError):
        read(path)
