"""Activation functions."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.mil_executor.registry import operation


@operation("relu")
def relu(x: Tensor) -> Tensor:
    """`max(x, 0)`."""
    return torch.relu(x)


@operation("relu6")
def relu6(x: Tensor) -> Tensor:
    """`min(max(x, 0), 6)`."""
    return torch.clamp(x, 0, 6)


@operation("leaky_relu")
def leaky_relu(x: Tensor, alpha: Tensor) -> Tensor:
    """`x` where it is positive, else `alpha x`."""
    return torch.where(x >= 0, x, alpha * x)


@operation("prelu")
def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """As `leaky_relu`, with an `alpha` [C] for each channel of `x` [N, C, ...]."""
    return F.prelu(x, alpha)


@operation("elu")
def elu(x: Tensor, alpha: Tensor) -> Tensor:
    """`x` where it is positive, else `alpha (exp(x) - 1)`."""
    return torch.where(x > 0, x, alpha * torch.expm1(x))


@operation("sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    """`1 / (1 + exp(-x))`."""
    return torch.sigmoid(x)


@operation("sigmoid_hard")
def sigmoid_hard(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """`alpha x + beta`, between 0 and 1."""
    return torch.clamp(alpha * x + beta, 0, 1)


@operation("silu")
def silu(x: Tensor) -> Tensor:
    """`x sigmoid(x)`."""
    return F.silu(x)


@operation("softplus")
def softplus(x: Tensor) -> Tensor:
    """`log(1 + exp(x))`."""
    return F.softplus(x)


@operation("gelu")
def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    """`x` times the normal distribution function there, or one of two approximations."""
    match mode:
        case "EXACT":
            return F.gelu(x)
        case "TANH_APPROXIMATION":
            return F.gelu(x, approximate="tanh")
        case "SIGMOID_APPROXIMATION":
            return x * torch.sigmoid(1.702 * x)
        case _:
            raise SfscError(f"The mode {mode!r} of gelu is unknown.")


@operation("softmax")
def softmax(x: Tensor, axis: Tensor) -> Tensor:
    """`exp(x)` over its sum along `axis`."""
    return torch.softmax(x, int(axis))
