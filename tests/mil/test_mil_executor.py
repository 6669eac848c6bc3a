"""The executor itself: types, constants, and what it says of programs that it can't run."""

import numpy as np
import pytest
import torch

pytest.importorskip("coremltools", reason="coremltools builds MIL programs; it has no wheel for this machine")

from mil_programs import executed, numbers, program
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.mil_executor import executor
from sfsc_deploy.runtime.mil_executor.executor import Executor
from sfsc_deploy.runtime.mil_executor.registry import operations

THIRDS = np.array([1 / 3, 1000, 60000], np.float32)


def test_results_are_rounded_where_the_program_says_float16() -> None:
    from coremltools.converters.mil.mil import Builder

    (found,) = executed(lambda x: Builder.add(x=x, y=x), THIRDS.astype(np.float16).astype(np.float32), half=True)
    np.testing.assert_array_equal(found, np.float32([np.float16(1 / 3) * 2, 2000, np.inf]))


def test_a_cast_to_float16_rounds_and_one_to_float32_does_not() -> None:
    from coremltools.converters.mil.mil import Builder

    def build(x: object) -> object:
        return Builder.cast(x=Builder.cast(x=x, dtype="fp16"), dtype="fp32")

    (found,) = executed(build, THIRDS)
    np.testing.assert_array_equal(found, THIRDS.astype(np.float16).astype(np.float32))
    assert found[0] != THIRDS[0]
    (exact,) = executed(build, THIRDS, all_float32=True)
    np.testing.assert_array_equal(exact, THIRDS)


def test_what_depends_on_no_input_is_calculated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from coremltools.converters.mil.mil import Builder

    calls = []

    def dequantised(**arguments: torch.Tensor) -> torch.Tensor:
        calls.append(arguments)
        return arguments["quantized_data"].float()

    known = {**operations(), "constexpr_affine_dequantize": dequantised}
    monkeypatch.setattr(executor, "operations", lambda: known)
    made = program(
        lambda x: Builder.add(
            x=x,
            y=Builder.constexpr_affine_dequantize(
                quantized_data=np.ones(3, np.int8), zero_point=np.int8(0), scale=np.float32(1), axis=0
            ),
        ),
        (3,),
    )
    ready = Executor(made, "a test")
    for _ in range(3):
        ready.run({"x": torch.zeros(3)})
    assert len(calls) == 1


def test_an_output_may_be_an_input_or_a_constant() -> None:
    from coremltools.converters.mil.mil import Builder

    found = executed(lambda x: (Builder.identity(x=x), Builder.identity(x=np.float32([1, 2]))), THIRDS)
    np.testing.assert_array_equal(found[0], THIRDS)
    np.testing.assert_array_equal(found[1], [1, 2])


def test_unknown_operations_are_all_named() -> None:
    from coremltools.converters.mil.mil import Builder

    made = program(lambda x: Builder.atan(x=Builder.cumsum(x=x, name="running")), (3, 2))
    with pytest.raises(
        SfscError, match=r"phone\.mlpackage has operations that .* know: atan \(`.*`\), cumsum \(`running`\)"
    ):
        Executor(made, "phone.mlpackage")


def test_an_operation_that_fails_is_named() -> None:
    from coremltools.converters.mil.mil import Builder

    made = program(lambda x: Builder.matmul(x=x, y=numbers(4, 2), name="product"), (3, 4))
    with pytest.raises(SfscError, match=r"a test: operation matmul \(`product`\) can't be calculated"):
        Executor(made, "a test").run({"x": torch.zeros(3, 5)})


def test_an_input_that_was_not_given_is_named() -> None:
    from coremltools.converters.mil.mil import Builder

    ready = Executor(program(lambda x, y: Builder.add(x=x, y=y), (3,), (3,)), "a test")
    with pytest.raises(SfscError, match="`y`"):
        ready.run({"x": torch.zeros(3)})
