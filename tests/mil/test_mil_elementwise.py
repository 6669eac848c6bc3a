"""Arithmetic, comparison, logic and activations of the reference executor, against torch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

pytest.importorskip("coremltools", reason="coremltools builds MIL programs; it has no wheel for this machine")

from mil_programs import executed, numbers
from sfsc_deploy.errors import SfscError

A, B = numbers(2, 3, 4), numbers(3, 1, seed=1, low=0.5)

OF_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "real_div": lambda x, y: x / y,
    "floor_div": lambda x, y: (x / y).floor(),
    "mod": lambda x, y: x - (x / y).floor() * y,
    "maximum": lambda x, y: torch.where(x > y, x, y),
    "minimum": lambda x, y: torch.where(x < y, x, y),
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
}
OF_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": lambda x: torch.where(x < 0, -x, x),
    "ceil": torch.ceil,
    "cos": torch.cos,
    "erf": torch.special.erf,
    "exp": torch.exp,
    "exp2": lambda x: 2**x,
    "floor": torch.floor,
    "identity": lambda x: x,
    "relu": lambda x: x.clamp(min=0),
    "relu6": F.relu6,
    "round": torch.round,
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "sign": torch.sign,
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "sin": torch.sin,
    "softsign": lambda x: x / (1 + x.abs()),
    "softplus": lambda x: torch.log1p(torch.exp(x)),
    "square": lambda x: x**2,
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("name", OF_TWO)
def test_operations_of_two_broadcast(name: str) -> None:
    from coremltools.converters.mil.mil import Builder

    (found,) = executed(lambda x, y: getattr(Builder, name)(x=x, y=y), A, B)
    np.testing.assert_allclose(found, OF_TWO[name](torch.tensor(A), torch.tensor(B)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["equal", "less_equal", "greater_equal", "less", "greater", "not_equal"])
def test_comparisons_of_equal_numbers(name: str) -> None:
    from coremltools.converters.mil.mil import Builder

    (found,) = executed(lambda x, y: getattr(Builder, name)(x=x, y=y), A, A.copy())
    assert found.dtype == np.bool_
    assert found.all() == (name in ("equal", "less_equal", "greater_equal"))


@pytest.mark.parametrize("name", OF_ONE)
def test_operations_of_one(name: str) -> None:
    from coremltools.converters.mil.mil import Builder

    (found,) = executed(lambda x: getattr(Builder, name)(x=x), A)
    np.testing.assert_allclose(found, OF_ONE[name](torch.tensor(A)), rtol=1e-5, atol=1e-6)


CASES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Tensor], Tensor]]] = {
    "pow": (lambda mb, x: mb.pow(x=x, y=np.float32(2)), lambda x: x**2),
    "sqrt": (lambda mb, x: mb.sqrt(x=mb.abs(x=x)), lambda x: x.abs().sqrt()),
    "rsqrt": (lambda mb, x: mb.rsqrt(x=mb.abs(x=x), epsilon=0.5), lambda x: (x.abs() + 0.5) ** -0.5),
    "inverse": (lambda mb, x: mb.inverse(x=mb.abs(x=x), epsilon=0.5), lambda x: 1 / (x.abs() + 0.5)),
    "log": (lambda mb, x: mb.log(x=mb.abs(x=x), epsilon=0.5), lambda x: (x.abs() + 0.5).log()),
    "clip": (lambda mb, x: mb.clip(x=x, alpha=-0.5, beta=0.7), lambda x: x.clamp(-0.5, 0.7)),
    "threshold": (lambda mb, x: mb.threshold(x=x, alpha=0.3), lambda x: x.clamp(min=0.3)),
    "leaky_relu": (lambda mb, x: mb.leaky_relu(x=x, alpha=0.1), lambda x: F.leaky_relu(x, 0.1)),
    "elu": (lambda mb, x: mb.elu(x=x, alpha=0.7), lambda x: F.elu(x, 0.7)),
    "sigmoid_hard": (lambda mb, x: mb.sigmoid_hard(x=x, alpha=0.4, beta=0.5), lambda x: (0.4 * x + 0.5).clamp(0, 1)),
    "thresholded_relu": (lambda mb, x: mb.thresholded_relu(x=x, alpha=0.3), lambda x: x * (x >= 0.3)),
    "clamped_relu": (
        lambda mb, x: mb.clamped_relu(x=x, alpha=0.1, beta=0.8),
        lambda x: F.leaky_relu(x, 0.1).clamp(max=0.8),
    ),
    "linear_activation": (lambda mb, x: mb.linear_activation(x=x, alpha=0.3, beta=0.2), lambda x: 0.3 * x + 0.2),
    "scaled_tanh": (lambda mb, x: mb.scaled_tanh(x=x, alpha=0.3, beta=2.0), lambda x: 0.3 * (2 * x).tanh()),
    "softmax": (lambda mb, x: mb.softmax(x=x, axis=1), lambda x: x.exp() / x.exp().sum(1, keepdim=True)),
    "gelu": (lambda mb, x: mb.gelu(x=x), lambda x: x * (1 + torch.special.erf(x / 2**0.5)) / 2),
    "gelu, tanh": (lambda mb, x: mb.gelu(x=x, mode="TANH_APPROXIMATION"), lambda x: F.gelu(x, approximate="tanh")),
    "gelu, sigmoid": (
        lambda mb, x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        lambda x: x / (1 + torch.exp(-1.702 * x)),
    ),
    "select": (
        lambda mb, x: mb.select(cond=mb.greater(x=x, y=np.float32(0)), a=x, b=mb.mul(x=x, y=np.float32(3))),
        lambda x: torch.where(x > 0, x, 3 * x),
    ),
    "logic": (
        lambda mb, x: mb.cast(
            x=mb.logical_or(
                x=mb.logical_and(x=mb.greater(x=x, y=np.float32(0)), y=mb.less(x=x, y=np.float32(1))),
                y=mb.logical_not(x=mb.logical_xor(x=mb.less(x=x, y=np.float32(-1)), y=mb.less(x=x, y=np.float32(0)))),
            ),
            dtype="fp32",
        ),
        lambda x: (((x > 0) & (x < 1)) | ~((x < -1) ^ (x < 0))).float(),
    ),
    "cast to integers": (lambda mb, x: mb.cast(x=x, dtype="int32"), lambda x: x.trunc().int()),
    "cast to truth": (lambda mb, x: mb.cast(x=mb.relu(x=x), dtype="bool"), lambda x: x > 0),
}


@pytest.mark.parametrize("case", CASES)
def test_operations_with_settings(case: str) -> None:
    from coremltools.converters.mil.mil import Builder

    build, expected = CASES[case]
    (found,) = executed(lambda x: build(Builder, x), A)
    wanted = expected(torch.tensor(A)).numpy()
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_an_unknown_mode_is_named() -> None:
    from sfsc_deploy.runtime.mil_executor.activation import gelu

    with pytest.raises(SfscError, match="'TENTH'"):
        gelu(torch.tensor(A), "TENTH")
