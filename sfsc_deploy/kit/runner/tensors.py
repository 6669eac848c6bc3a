"""Safetensors files with numpy alone: a header of JSON, then the bytes of the arrays."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LENGTH = struct.Struct("<Q")
_MAX_HEADER = 100 << 20  # as the library that defined the format
_TYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
_METADATA = "__metadata__"


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and text entries of a file.

    Raises:
        SfscError: it is truncated, or no safetensors file.
    """
    try:
        content = path.read_bytes()
        header, data = _split(content)
        metadata = header.pop(_METADATA, {})
        return {name: _array(entry, data) for name, entry in header.items()}, dict(metadata)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SfscError(f"{path} is no safetensors file: {error}.", "Unpack the kit anew.") from None


def write(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write a file, whole or not at all; raises as `replacing`."""
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    parts, start = [], 0
    # Widest elements first keeps every array aligned, which some readers ask for.
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        part = np.ascontiguousarray(array)
        kind = _NAMES[part.dtype.newbyteorder("<")]
        part = part.astype(_TYPES[kind], copy=False)
        header[name] = {"dtype": kind, "shape": list(part.shape), "data_offsets": [start, start + part.nbytes]}
        parts.append(part.tobytes())
        start += part.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as beside:
        beside.write_bytes(_LENGTH.pack(len(text)) + text + b"".join(parts))


def _split(content: bytes) -> tuple[dict[str, Any], memoryview]:
    if len(content) < _LENGTH.size:
        raise ValueError(f"it ends after {len(content)} bytes")
    (length,) = _LENGTH.unpack_from(content)
    if length > min(len(content) - _LENGTH.size, _MAX_HEADER):
        raise ValueError(f"its header claims {length} bytes")
    start = _LENGTH.size + length
    header = json.loads(content[_LENGTH.size : start].decode())
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header, memoryview(content)[start:]


def _array(entry: Mapping[str, Any], data: memoryview) -> NDArray[Any]:
    kind, shape, (start, end) = np.dtype(_TYPES[entry["dtype"]]), tuple(entry["shape"]), entry["data_offsets"]
    if not all(isinstance(number, int) and number >= 0 for number in (*shape, start, end)):
        raise ValueError("its header names no lengths")
    if not start <= end <= len(data) or end - start != kind.itemsize * math.prod(shape):
        raise ValueError("an array lies outside of it")
    return np.frombuffer(data[start:end], kind).reshape(shape)
