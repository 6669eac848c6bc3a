"""Which operations of a program may compute in float16, when coremltools converts it."""

from typing import Any


def may_be_float16(op: Any) -> bool:
    """Tell whether an operation belongs to the model itself, rather than to scaling or L2 normalisation.

    In float16 the epsilon of a normalisation became 6e-8, and a norm beyond 65504 infinite.

    Args:
        op: `coremltools.converters.mil.mil.Operation`.
    """
    return not (_scales_the_image(op) or _takes_a_norm(op))


def _scales_the_image(op: Any) -> bool:
    if op.op_type not in ("mul", "sub"):
        return False
    return op.x.op is None or _scales_the_image(op.x.op)  # the image itself comes of no operation


def _takes_a_norm(op: Any) -> bool:
    if op.op_type == "reduce_l2_norm":
        return True
    return op.op_type in ("maximum", "real_div") and any(
        operand.op is not None and _takes_a_norm(operand.op) for operand in (op.x, op.y)
    )
