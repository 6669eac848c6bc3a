"""The precision in which a model in ONNX Runtime's own format computes, read from the file itself.

The format is a flatbuffer; the classes that read it come with onnxruntime (`onnxruntime.tools.ort_format_model`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.errors import ExportError
from exporters.precision import layers_of, summary


def read_precision(path: Path) -> str:
    """Tell in which precision the convolutions and matrix products of a `.ort` file compute.

    Returns:
        As `exporters.precision.read_precision`.

    Raises:
        ExportError: the file is no such model, or has no such layer.
    """
    return summary(layers_of(_load(path), path))


@dataclass(frozen=True)
class _Tensor:
    name: str
    data_type: int


@dataclass(frozen=True)
class _Attribute:
    i: int


@dataclass(frozen=True)
class _Node:
    name: str
    op_type: str
    input: list[str]
    output: list[str]
    attribute: list[_Attribute]


@dataclass(frozen=True)
class _Graph:
    """As much of an `onnx.GraphProto`, under its names, as tells the precision."""

    initializer: list[_Tensor]
    node: list[_Node]


def _load(path: Path) -> _Graph:
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import InferenceSession

    try:
        content = bytearray(path.read_bytes())
        if not InferenceSession.InferenceSessionBufferHasIdentifier(content, 0):
            raise ValueError("it doesn't begin as one")
        graph = InferenceSession.GetRootAs(content, 0).Model().Graph()
        return _Graph(list(_tensors(graph)), list(_nodes(graph)))
    except Exception as error:  # flatbuffers follow offsets unchecked: what is cut short fails anywhere
        raise ExportError(
            f"{path} can't be read as a model in ONNX Runtime's format: {error}", "Export it again."
        ) from error


def _tensors(graph: Any) -> Iterator[_Tensor]:
    for stored in map(graph.Initializers, range(graph.InitializersLength())):
        yield _Tensor(stored.Name().decode(), stored.DataType())


def _nodes(graph: Any) -> Iterator[_Node]:
    for node in map(graph.Nodes, range(graph.NodesLength())):
        yield _Node(
            name=node.Name().decode(),
            op_type=node.OpType().decode(),
            input=[node.Inputs(number).decode() for number in range(node.InputsLength())],
            output=[node.Outputs(number).decode() for number in range(node.OutputsLength())],
            attribute=[_Attribute(held.I()) for held in _attributes(node) if held.Name() == b"to"],
        )


def _attributes(node: Any) -> Iterator[Any]:
    return map(node.Attributes, range(node.AttributesLength()))
