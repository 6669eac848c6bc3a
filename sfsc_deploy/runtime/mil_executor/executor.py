"""Runs a MIL program."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.mil_executor.registry import Function, operations

Value: TypeAlias = Tensor | str
Argument: TypeAlias = Value | list[Value]

_FLOATS = ("fp16", "fp32")
_CONSTANT = "const"
_MAIN = "main"


class UnknownOperation(SfscError):  # noqa: N818 (a limit of the executor, not a mistake)
    """A program that may be right has operations that the executor doesn't know."""


@dataclass(frozen=True)
class _Step:
    """An operation with its function, and the types of what it gives."""

    op: Any  # coremltools.converters.mil.mil.Operation
    function: Function
    types: tuple[str, ...]


class Executor:
    """A program, ready to run; results are rounded to the program's types after every operation.

    Arithmetic inside an operation is float32, where float16 hardware may round earlier: sums differ in the last bits.

    Args:
        program: `coremltools.converters.mil.Program` with a function `main`.
        source: what messages call it.
        all_float32: leave out the rounding to float16.

    Raises:
        UnknownOperation: it has operations that aren't known; they are named.
        SfscError: it has no such function, or constants that can't be calculated.
    """

    def __init__(self, program: Any, source: str, *, all_float32: bool = False) -> None:
        self._source = source
        self._all_float32 = all_float32
        if _MAIN not in program.functions:
            raise SfscError(f"{source} has no function `{_MAIN}`.", "Export it anew.")
        function = program.functions[_MAIN]
        self._inputs: dict[str, Any] = dict(function.inputs)
        self._outputs: list[Any] = list(function.outputs)
        self._constants: dict[Any, Value] = {}
        with torch.inference_mode():
            self._steps = self._prepare(list(function.operations))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what the program takes."""
        return tuple(self._inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what the program gives."""
        return tuple(var.name for var in self._outputs)

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Give the outputs by name, for inputs by name; floating numbers are float32, whatever the program's type.

        Raises:
            SfscError: an input is missing or an operation failed; it is named.
        """
        missing = [f"`{name}`" for name in self._inputs if name not in feeds]
        if missing:
            raise SfscError(f"{self._source} takes {', '.join(missing)} as well.", "Export it anew.")
        known: dict[Any, Value] = {var: feeds[name] for name, var in self._inputs.items()}
        with torch.inference_mode():
            for step in self._steps:
                self._take(step, known)
            return {var.name: cast("Tensor", self._value(var, known)).clone() for var in self._outputs}

    def _prepare(self, ops: list[Any]) -> list[_Step]:
        """Calculate everything that depends on no input, and keep the rest."""
        for op in ops:
            if op.op_type == _CONSTANT:
                self._constants[op.outputs[0]] = _constant(op.outputs[0].val)
        steps = []
        for step in self._resolved([op for op in ops if op.op_type != _CONSTANT]):
            if all(var in self._constants for var in _operands(step.op)):
                self._take(step, self._constants)
            else:
                steps.append(step)
        return steps

    def _resolved(self, ops: list[Any]) -> list[_Step]:
        functions = operations()
        unknown = {op.op_type: op.name for op in ops if op.op_type not in functions}
        if unknown:
            named = ", ".join(f"{kind} (`{name}`)" for kind, name in sorted(unknown.items()))
            raise UnknownOperation(
                f"{self._source} has operations that the reference executor doesn't know: {named}.", "Run it on a Mac."
            )
        return [_Step(op, functions[op.op_type], tuple(map(_type_name, op.outputs))) for op in ops]

    def _take(self, step: _Step, known: dict[Any, Value]) -> None:
        """Enter the results of a step into `known`."""
        op = step.op
        try:
            arguments = {name: self._argument(operand, known) for name, operand in op.inputs.items()}
            result = step.function(**arguments)
        except Exception as error:  # whatever torch or numpy raises about shapes, types and indices
            raise SfscError(
                f"{self._source}: operation {op.op_type} (`{op.name}`) can't be calculated: {error}", "Export it anew."
            ) from error
        results = result if isinstance(result, tuple) else (result,)
        for var, kind, value in zip(op.outputs, step.types, results, strict=True):
            known[var] = self._typed(value, kind)

    def _argument(self, operand: Any, known: Mapping[Any, Value]) -> Argument:
        if isinstance(operand, list | tuple):
            return [self._value(var, known) for var in operand]
        return self._value(operand, known)

    def _value(self, var: Any, known: Mapping[Any, Value]) -> Value:
        return known[var] if var in known else self._constants[var]

    def _typed(self, value: Tensor, kind: str) -> Tensor:
        if kind not in _FLOATS:
            return value.to(getattr(torch, kind))
        if kind == "fp16" and not self._all_float32:
            value = value.half()
        return value.float()


def _operands(op: Any) -> list[Any]:
    return [
        var for operand in op.inputs.values() for var in (operand if isinstance(operand, list | tuple) else [operand])
    ]


def _constant(value: Any) -> Value:
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return torch.tensor(array.astype(np.float32) if array.dtype == np.float16 else array)


def _type_name(var: Any) -> str:
    """As MIL writes it: `fp16`, `int32`, `bool`."""
    from coremltools.converters.mil.mil import types

    return str(types.builtin_to_string(var.dtype))
