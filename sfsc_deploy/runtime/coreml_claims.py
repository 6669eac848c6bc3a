"""What a CoreML package claims beyond its own bytes: files elsewhere, and constants far larger than itself."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import size_of
from sfsc_deploy.runtime.onnx_claims import LARGEST, numbers_in

_MANIFEST = "Manifest.json"
_DATA = "Data"
_NUMBERS_PER_BYTE = 8
"""Compressed weights hold a bit for each number at least."""
_SIZED_BY: Mapping[str, str] = {"fill": "shape", "tile": "reps"}
"""Operations whose result is as large as one of their arguments says, and which one."""
_ANEW = "Copy the whole folder again, or export it anew."


def refuse_outside(package: Path) -> None:
    """Refuse a package that leads out of its folder, by a link or by its manifest.

    Raises:
        SfscError: as told.
        OSError, ValueError, ...: its manifest can't be read.
    """
    folder, manifest = package.resolve(), package / _MANIFEST
    items = json.loads(manifest.read_text(encoding="utf-8"))["itemInfoEntries"] if manifest.is_file() else {}
    named = (package / _DATA / str(item["path"]) for item in items.values())
    outside = [path for path in (*package.rglob("*"), *named) if folder not in path.resolve().parents]
    if outside:
        raise SfscError(f"{package} leads out of its own folder: {outside[0]}.", _ANEW)


def refuse_claims(package: Path, spec: Any) -> None:
    """Refuse constants that the bytes of a package can't hold, and others of more than `LARGEST` numbers in all.

    What a program computes only while it runs isn't foreseen.

    Args:
        package: the folder.
        spec: `coremltools.proto.Model_pb2.Model`.

    Raises:
        SfscError: as told.
    """
    ops = list(_operations(spec.mlProgram.functions.values()))
    values = {output.name: _integers(op.attributes["val"]) for op in ops if op.type == "const" for output in op.outputs}
    held = max((_declared(op) for op in ops if op.type.startswith("const")), default=0)
    made = sum(_asked(op, values) for op in ops)
    if held > _NUMBERS_PER_BYTE * size_of(package) or made > LARGEST:
        raise SfscError(f"{package} claims constants that it doesn't hold, of {max(held, made):.3g} numbers.", _ANEW)


def _operations(functions: Any) -> Iterator[Any]:
    """Of all blocks, those within operations too; a loop, because they may lie deep in each other."""
    blocks = [block for function in functions for block in function.block_specializations.values()]
    while blocks:
        for op in blocks.pop().operations:
            yield op
            blocks += op.blocks


def _declared(op: Any) -> int:
    shapes = ([axis.constant.size for axis in output.type.tensorType.dimensions] for output in op.outputs)
    return max(map(numbers_in, shapes), default=0)


def _asked(op: Any, values: Mapping[str, list[int]]) -> int:
    """Numbers that an operation is asked for."""
    argument = op.inputs[_SIZED_BY[op.type]] if op.type in _SIZED_BY else None
    given = argument.arguments[0] if argument is not None and argument.arguments else None
    if given is None:
        return 0
    return numbers_in(values.get(given.name) or _integers(given.value))


def _integers(value: Any) -> list[int]:
    tensor = value.immediateValue.tensor
    return [*tensor.ints.values, *tensor.longInts.values]
