"""What a model in ONNX Runtime's own format claims beyond its bytes; as `onnx_claims`, read from the flatbuffer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.onnx_claims import INT64, RANK, SIZED_BY, Claims


def refuse_claims(path: Path) -> None:
    """Refuse a file that claims more numbers than `onnx_claims.LARGEST`, or holds graphs in operators.

    Raises:
        SfscError: as told.
        Exception: damaged; of whatever type flatbuffers stumble with.
    """
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import InferenceSession

    graph = InferenceSession.GetRootAs(bytearray(path.read_bytes()), 0).Model().Graph()
    claims = Claims()
    for sparse in map(graph.SparseInitializers, range(graph.SparseInitializersLength())):
        claims.dense.append([sparse.Dims(axis) for axis in range(sparse.DimsLength())])
    claims.shapes.update(_shapes(graph))
    for node in map(graph.Nodes, range(graph.NodesLength())):
        _refuse_inner(path, node)
        place = SIZED_BY.get(node.OpType() or b"")
        if place is not None and node.InputsLength() > place:
            claims.sized_by.append(node.Inputs(place).decode())
    claims.refuse(path)


def _shapes(graph: Any) -> Iterator[tuple[str, list[int]]]:
    for stored in map(graph.Initializers, range(graph.InitializersLength())):
        if stored.DataType() == INT64 and 0 < stored.RawDataLength() <= 8 * RANK:
            yield stored.Name().decode(), np.frombuffer(stored.RawDataAsNumpy().tobytes(), "<i8").tolist()


def _refuse_inner(path: Path, node: Any) -> None:
    attributes = map(node.Attributes, range(node.AttributesLength()))
    if any(attribute.G() is not None or attribute.GraphsLength() for attribute in attributes):
        raise SfscError(
            f"{path} holds graphs in its operators, which can claim anything.",
            "Nothing that this product exports does: export it anew.",
        )
