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


@operation("thresholded_relu")
def thresholded_relu(x: Tensor, alpha: Tensor) -> Tensor:
    """`x` where it is at least `alpha`, else 0."""
    return torch.where(x >= alpha, x, 0)


@operation("clamped_relu")
def clamped_relu(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """As `leaky_relu`, but at most `beta`."""
    return torch.minimum(leaky_relu(x, alpha), beta)


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


@operation("linear_activation")
def linear_activation(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """`alpha x + beta`."""
    return alpha * x + beta


@operation("scaled_tanh")
def scaled_tanh(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """`alpha tanh(beta x)`."""
    return alpha * torch.tanh(beta * x)


@operation("softsign")
def softsign(x: Tensor) -> Tensor:
    """`x / (1 + |x|)`."""
    return F.softsign(x)


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
