from math import prod

import onnx
import pytest
from torch import Tensor, nn
from torch.nn import functional

from exporters import ExportError, ExportResult
from exporters.count import Count, count


def test_depthwise_and_pointwise_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), nn.Conv2d(6, 10, 1, bias=False))
    # 6 filters of 1 x 3 x 3 with bias on a map of 4 x 5, then 10 of 6 x 1 x 1.
    assert count(model, 8, 10) == Count(parameters=6 * 9 + 6 + 60, multiply_adds=(6 * 9 + 60) * 20)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_by_hand(bias: bool) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 7, bias=bias)).half()
    assert count(model, 4, 4) == Count(parameters=48 * 7 + 7 * bias, multiply_adds=48 * 7)


def test_attention_by_hand() -> None:
    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            tokens = x.flatten(2).transpose(1, 2).unsqueeze(1)
            return functional.scaled_dot_product_attention(tokens, tokens, tokens)

    # 20 queries with 20 keys of 3 channels, then 20 x 20 weights with 20 values of 3 channels.
    assert count(Attention(), 4, 5) == Count(parameters=0, multiply_adds=2 * 20 * 20 * 3)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ExportError, match=r"image of 4 x 5 pixels: .*shapes.*built for"):
        count(nn.Sequential(nn.Flatten(), nn.Linear(48, 7)), 4, 5)


@pytest.mark.parametrize("name", ["onnx_float32", "onnx_float16"])
def test_equals_what_the_file_holds(name: str, request: pytest.FixtureRequest) -> None:
    result: ExportResult = request.getfixturevalue(name)
    graph = onnx.shape_inference.infer_shapes(onnx.load(result.files[0])).graph
    sizes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.value_info}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    # Each element of a filter or matrix is used once at each position of the output map.
    assert result.multiply_adds == sum(prod(sizes[n.input[1]]) * prod(shapes[n.output[0]][2:]) for n in layers)
    assert result.parameters == sum(prod(sizes[weights]) for n in layers for weights in n.input[1:])
    assert len(layers) == 5
