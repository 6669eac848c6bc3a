"""Small MIL programs, run by the reference executor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exporters.quiet_coreml import load_coremltools
from sfsc_deploy.runtime.mil_executor.executor import Executor

Array = NDArray[Any]


def program(build: Callable[..., Any], *shapes: tuple[int, ...], opset: str = "iOS16", half: bool = False) -> Any:
    """The program that `build` makes of inputs of these shapes, named as its parameters."""
    tools = load_coremltools()
    from coremltools.converters.mil.mil import Builder, types

    kind = types.fp16 if half else types.fp32
    specs = [Builder.TensorSpec(shape=shape, dtype=kind) for shape in shapes]
    return Builder.program(input_specs=specs, opset_version=tools.target[opset])(build)


def executed(
    build: Callable[..., Any], *inputs: Array, opset: str = "iOS16", half: bool = False, all_float32: bool = False
) -> list[Array]:
    """What the executor gives for the outputs of the program that `build` makes."""
    made = program(build, *(array.shape for array in inputs), opset=opset, half=half)
    executor = Executor(made, "a test", all_float32=all_float32)
    names = list(made.functions["main"].inputs)
    feeds = {name: torch.tensor(array) for name, array in zip(names, inputs, strict=True)}
    return [value.numpy() for value in executor.run(feeds).values()]


def numbers(*shape: int, seed: int = 0, low: float = -2, high: float = 2) -> Array:
    """Random float32 numbers."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)
