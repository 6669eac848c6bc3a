"""How a runtime wants its int8. Plain facts, no heavy import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LAYERS = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True)
class Int8Scheme:
    """What goes into int8, in which form, and what the rest of the graph computes in.

    Weights are int8, symmetric, with a scale for each output channel in every scheme. The range of an activation is
    the smallest and largest value that the calibration images gave it.

    Attributes:
        rest: precision of everything that is not int8.
        opset: the lowest that has what the scheme needs.
        signed: int8 activations that are symmetric around 0, rather than uint8 ones with a zero point.
        reduced: weights keep to 7 bits.
        operators: types of ONNX that take int8.
        options: further ones of ONNX Runtime's quantiser.
    """

    rest: str
    opset: int
    signed: bool
    reduced: bool
    operators: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


# ONNX Runtime on a CPU fuses an operator between a DequantizeLinear and a QuantizeLinear into one for integers: uint8
# activations, all operators from layer to layer, biases too. That takes half the time of float32; symmetric int8
# activations take longer than float32 does. With 8 bits of weight, two products overflow the 16 bits in which x86
# processors without VNNI add them up (255 * 127 * 2 > 32767), so that numbers would depend on the processor; 7 bits
# fit everywhere and cost 0.0003 of the median cosine.
CPU = Int8Scheme(
    rest="float32",
    opset=18,
    signed=False,
    reduced=True,
    operators=(*_LAYERS, "Add", "Relu", "Clip", "MaxPool"),
)

# TensorRT takes symmetric int8 alone. It fuses a layer with what follows it up to the next QuantizeLinear, so a layer's
# result is left alone; it has no dequantisation of int32, so biases are; and what isn't int8 is float16, the quick type
# of its devices. Scales in float16 came with opset 19.
TENSORRT = Int8Scheme(
    rest="float16",
    opset=19,
    signed=True,
    reduced=False,
    operators=_LAYERS,
    options={"ActivationSymmetric": True, "QuantizeBias": False, "OpTypesToExcludeOutputQuantization": list(_LAYERS)},
)
