"""What an ONNX file claims beyond its own bytes: files elsewhere, and tensors far larger than itself.

Read from the file before ONNX Runtime is given it, because that allocates what is claimed; without the package onnx,
which devices lack. Numbers of fields are those of onnx.proto (https://github.com/onnx/onnx).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path, PureWindowsPath
from typing import TypeAlias

import numpy as np

from sfsc_deploy.errors import SfscError

LARGEST = 1 << 26
"""Numbers that constants may spread to: 256 MiB as float32. Weights that are stored as they are don't count."""

_Fields: TypeAlias = list[tuple[int, "int | memoryview"]]

_HELD: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Messages in messages, by the numbers of their fields."""
SIZED_BY: Mapping[bytes, int] = {b"ConstantOfShape": 0, b"Expand": 1, b"Tile": 1, b"Resize": 3}
"""Operators whose result is as large as one of their inputs says, and which one."""
_DEPTH = 100  # of messages in each other: what protobuf reads, too
RANK = 16  # tensors of more axes are none that anything computes with
INT64 = 7
_EXTERNAL = 1


@dataclass
class Claims:
    """What was found in a file.

    Attributes:
        places: files of weights.
        dense: shapes of tensors of which only some numbers are stored.
        sized_by: names of the inputs that tell operators how large their results are.
        shapes: values by name of constants that may be shapes.
    """

    places: list[str] = field(default_factory=list)
    dense: list[list[int]] = field(default_factory=list)
    sized_by: list[str] = field(default_factory=list)
    shapes: dict[str, list[int]] = field(default_factory=dict)

    def refuse(self, path: Path) -> None:
        """Raise the SfscError that these claims of `path` deserve, if any."""
        for place in self.places:
            _refuse_elsewhere(path, place)
        shapes = [*self.dense, *(self.shapes.get(name, []) for name in self.sized_by)]
        if sum(map(numbers_in, shapes)) > LARGEST:
            raise SfscError(
                f"{path} claims tensors that it doesn't hold, of more than {LARGEST} numbers.",
                "Nothing that this product exports does: export it anew.",
            )


def refuse_claims(path: Path) -> None:
    """Refuse a file whose weights lie outside of its folder, or that claims more than `LARGEST` numbers in all.

    What a graph computes only while it runs isn't foreseen.

    Raises:
        SfscError: as told.
        ValueError: damaged.
    """
    claims = Claims()
    _gather("model", memoryview(path.read_bytes()), claims, _DEPTH)
    claims.refuse(path)


def numbers_in(shape: Sequence[int]) -> int:
    """Numbers in a tensor; of one that has too many axes, more than are taken."""
    return prod(map(abs, shape)) if len(shape) <= RANK else LARGEST + 1


def _gather(kind: str, data: memoryview, claims: Claims, depth: int) -> None:
    if depth == 0:
        raise ValueError(f"its parts lie more than {_DEPTH} deep in each other")
    fields = list(_fields(data))
    _take(kind, fields, claims)
    for number, value in fields:
        inner = _HELD[kind].get(number)
        if inner and isinstance(value, memoryview):
            _gather(inner, value, claims, depth - 1)


def _take(kind: str, fields: _Fields, claims: Claims) -> None:
    if kind == "tensor":
        claims.places += _places(fields)
        _enter_shape(_texts(fields, 8), fields, claims)
    elif kind == "sparse":
        claims.dense.append(_numbers(fields, 3))
    elif kind == "node":
        _take_node(fields, claims)


def _take_node(fields: _Fields, claims: Claims) -> None:
    kind = b"".join(bytes(value) for number, value in fields if number == 4 and isinstance(value, memoryview))
    inputs = _texts(fields, 1)
    if kind in SIZED_BY and len(inputs) > SIZED_BY[kind]:
        claims.sized_by.append(inputs[SIZED_BY[kind]])
    if kind == b"Constant":
        for number, value in fields:
            if number == 5 and isinstance(value, memoryview):
                _enter_constant(_texts(fields, 2), list(_fields(value)), claims)


def _enter_constant(outputs: Sequence[str], attribute: _Fields, claims: Claims) -> None:
    for number, value in attribute:
        if number == 5 and isinstance(value, memoryview):
            _enter_shape(outputs, list(_fields(value)), claims)
    listed = _numbers(attribute, 8)
    if listed:
        claims.shapes.update(dict.fromkeys(outputs, listed))


def _enter_shape(names: Sequence[str], tensor: _Fields, claims: Claims) -> None:
    """Remember the values of what may be a shape: at most `RANK` whole numbers."""
    if _numbers(tensor, 2) != [INT64] or numbers_in(_numbers(tensor, 1)) > RANK:
        return
    raw = [value for number, value in tensor if number == 9 and isinstance(value, memoryview)]
    stored = np.frombuffer(raw[-1], "<i8").tolist() if raw and len(raw[-1]) % 8 == 0 else _numbers(tensor, 7)
    claims.shapes.update(dict.fromkeys(names, stored))


def _places(tensor: _Fields) -> Iterator[str]:
    if _EXTERNAL not in _numbers(tensor, 14):
        return
    for number, value in tensor:
        if number == 13 and isinstance(value, memoryview):
            entry = list(_fields(value))
            if _texts(entry, 1) == ["location"]:
                yield from _texts(entry, 2)


def _refuse_elsewhere(path: Path, place: str) -> None:
    folder = path.parent.resolve()
    plain = "\0" not in place and not PureWindowsPath(place).anchor
    if not plain or folder not in (folder / place).resolve().parents:
        raise SfscError(f"{path} has weights outside of its folder, in {place!r}.", "Export it anew.")


def _texts(fields: _Fields, wanted: int) -> list[str]:
    return [str(value, "utf-8") for number, value in fields if number == wanted and isinstance(value, memoryview)]


def _numbers(fields: _Fields, wanted: int) -> list[int]:
    """Of a repeated field, whether its numbers stand one by one or packed; signed, of 64 bits."""
    found: list[int] = []
    for number, value in fields:
        if number == wanted:
            found += [value] if isinstance(value, int) else _packed(value)
    return [each - (1 << 64) if each >> 63 else each for each in found]


def _packed(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        number, at = _varint(data, at)
        yield number


def _fields(data: memoryview) -> Iterator[tuple[int, "int | memoryview"]]:
    """Numbers and values of a message in protobuf's encoding."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            length, at = _varint(data, at)
        if length is None or at + length > len(data):
            raise ValueError("it is no message in protobuf's encoding, or it is cut short")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(data[at : at + 10]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at + place + 1
    raise ValueError("it is no message in protobuf's encoding, or it is cut short")
