"""The precision in which a CoreML package computes, read from the package itself. Needs coremltools."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exporters.errors import ExportError
from exporters.precision import summary
from exporters.quiet_coreml import load_coremltools

_WEIGHTS = {
    "conv": ("weight",),
    "conv_transpose": ("weight",),
    "linear": ("weight",),
    "matmul": ("x", "y"),
}
_PASS_THROUGH = ("transpose", "reshape", "expand_dims", "squeeze", "cast", "identity")
_COMPRESSED = {
    "constexpr_affine_dequantize": "quantized_data",
    "constexpr_blockwise_shift_scale": "data",
}
_PALETTISED = "constexpr_lut_to_dense"


def read_precision(path: Path) -> str:
    """Tell in which precision the convolutions and matrix products of a CoreML package compute.

    Returns:
        `float32`, `float16`, or of compressed weights how they are stored, as `int8`; where layers differ
        `mixed (float16: 20, float32: 1)`.

    Raises:
        ExportError: the folder is no CoreML package of an ML program, or has no such layer.
    """
    return summary(precision_per_layer(path))


def precision_per_layer(path: Path) -> dict[str, str]:
    """Tell the precision of each convolution and matrix product with weights, by the name of its weights.

    Raises:
        ExportError: the folder is no CoreML package of an ML program, or has no such layer.
    """
    spec = _load(path)
    try:
        layers = dict(_Operands(operations(spec)).weights())
    except (LookupError, ValueError) as error:
        raise ExportError(f"{path} holds a program that isn't whole: {error!r}", "Export it again.") from error
    if not layers:
        raise ExportError(f"{path} holds neither a convolution nor a matrix product with weights of its own.")
    return layers


def operations(spec: Any) -> list[Any]:
    """The operations of all functions of an ML program, `coremltools.proto.MIL_pb2.Operation` each.

    Args:
        spec: `coremltools.proto.Model_pb2.Model`.
    """
    functions = spec.mlProgram.functions.values()
    return [
        op for function in functions for block in function.block_specializations.values() for op in block.operations
    ]


def _load(path: Path) -> Any:  # coremltools.proto.Model_pb2.Model
    try:
        return load_coremltools().utils.load_spec(str(path))
    except Exception as error:  # coremltools raises errors of JSON, protobuf and its own C++ parts
        raise ExportError(f"{path} can't be read as a CoreML package: {error}", "Export it again.") from error


class _Operands:
    """Follows the operands of layers to the weights that they come from."""

    def __init__(self, ops: list[Any]) -> None:
        self._ops = ops
        self._producers = {output.name: op for op in ops for output in op.outputs}

    def weights(self) -> Iterator[tuple[str, str]]:
        """Name and precision of the weights of every layer that has some."""
        for op in self._ops:
            for argument in _WEIGHTS.get(op.type, ()):
                yield from self._resolve(op.inputs[argument].arguments[0].name)

    def _resolve(self, operand: str) -> Iterator[tuple[str, str]]:
        """Nothing where the operand is computed from the image."""
        taken_as, passed = operand, set[str]()
        while (op := self._producers.get(operand)) is not None and op.type in _PASS_THROUGH:
            if operand in passed:
                return
            passed.add(operand)
            operand = op.inputs["x"].arguments[0].name
        if op is None:
            return
        if op.type == "const":
            yield operand, self._type(taken_as)
        elif op.type == _PALETTISED:
            yield operand, "palettised"
        elif op.type in _COMPRESSED:
            yield operand, self._stored_type(op, _COMPRESSED[op.type])

    def _type(self, name: str) -> str:
        (output,) = (output for output in self._producers[name].outputs if output.name == name)
        return _name(output.type)

    def _stored_type(self, op: Any, argument: str) -> str:
        """Programs before iOS 18 hold compressed numbers as an attribute, newer ones in place or as a constant."""
        if argument in op.attributes:
            return _name(op.attributes[argument].type)
        operand = op.inputs[argument].arguments[0]
        return self._type(operand.name) if operand.name else _name(operand.value.type)


def _name(value_type: Any) -> str:
    kind = value_type.tensorType
    return str(kind.DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number[kind.dataType].name).lower()
