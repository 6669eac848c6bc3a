"""Operations that treat every number by itself: arithmetic, comparison, logic."""

from collections.abc import Callable

import torch
from torch import Tensor

from sfsc_deploy.runtime.mil_executor.registry import operation

_EPSILON = torch.tensor(1e-12)

_OF_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "real_div": torch.true_divide,
    "floor_div": torch.floor_divide,
    "mod": torch.remainder,
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
}
_OF_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "erf": torch.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "floor": torch.floor,
    "logical_not": torch.logical_not,
    "round": torch.round,
    "sign": torch.sign,
    "sin": torch.sin,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tanh": torch.tanh,
}


def _enter_of_two(name: str, function: Callable[[Tensor, Tensor], Tensor]) -> None:
    @operation(name)
    def calculate(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)


def _enter_of_one(name: str, function: Callable[[Tensor], Tensor]) -> None:
    @operation(name)
    def calculate(x: Tensor) -> Tensor:
        return function(x)


for _name, _of_two in _OF_TWO.items():
    _enter_of_two(_name, _of_two)
for _name, _of_one in _OF_ONE.items():
    _enter_of_one(_name, _of_one)


@operation("rsqrt")
def rsqrt(x: Tensor, epsilon: Tensor = _EPSILON) -> Tensor:
    """`1 / sqrt(x + epsilon)`."""
    return torch.rsqrt(x + epsilon)


@operation("inverse")
def inverse(x: Tensor, epsilon: Tensor = _EPSILON) -> Tensor:
    """`1 / (x + epsilon)`."""
    return torch.reciprocal(x + epsilon)


@operation("log")
def log(x: Tensor, epsilon: Tensor = _EPSILON) -> Tensor:
    """`log(x + epsilon)`."""
    return torch.log(x + epsilon)


@operation("clip")
def clip(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Every number between `alpha` and `beta`."""
    return torch.clamp(x, alpha, beta)


@operation("threshold")
def threshold(x: Tensor, alpha: Tensor) -> Tensor:
    """Every number at least `alpha`."""
    return torch.clamp_min(x, alpha)


@operation("select")
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` where `cond` holds, else `b`."""
    return torch.where(cond.bool(), a, b)


@operation("cast")
def cast(x: Tensor, dtype: str) -> Tensor:
    """`x` itself: the executor gives every result the type that the program declares."""
    del dtype
    return x


@operation("identity")
def identity(x: Tensor) -> Tensor:
    """`x` itself."""
    return x
