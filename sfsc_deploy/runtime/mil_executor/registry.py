"""What is known of operations: their names in MIL, and the functions that calculate them.

Every function takes the arguments of its operation by name, as the specification of MIL names them
(https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html): tensors, also for numbers and
lists of numbers, and `str`. Floating numbers arrive and may leave as float32 whatever the program's type is: the
executor rounds the result to it. What an operation leaves out has the default of the specification.
"""

import importlib
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from torch import Tensor

Result: TypeAlias = Tensor | tuple[Tensor, ...]
Function: TypeAlias = Callable[..., Result]

_FAMILIES = ("activation", "attention", "compressed", "elementwise", "layers", "matrix", "reduction", "shaping")
_OPERATIONS: dict[str, Function] = {}

_Function = TypeVar("_Function", bound=Function)


def operation(name: str) -> Callable[[_Function], _Function]:
    """Enter a function as the operation that MIL calls `name`."""

    def enter(function: _Function) -> _Function:
        _OPERATIONS[name] = function
        return function

    return enter


def operations() -> dict[str, Function]:
    """Every known operation by its name."""
    for family in _FAMILIES:
        importlib.import_module(f"{__package__}.{family}")
    return _OPERATIONS
