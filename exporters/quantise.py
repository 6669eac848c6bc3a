"""int8 in the graph: QuantizeLinear and DequantizeLinear around the layers of a typed ONNX model.

By ONNX Runtime's quantiser, in two steps of which the first is costly and the second may be repeated.
"""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QDQQuantizer,
    QuantType,
    create_calibrator,
)
from onnxruntime.quantization.calibrate import TensorsData

from exporters.errors import ExportError
from exporters.int8_scheme import Int8Scheme
from exporters.onnx_contract import INPUT
from exporters.precision import weighted_layers
from exporters.quiet import quiet_quantiser

_BATCH = 32
_PASSING_ON = ("Add", "Relu", "Clip", "MaxPool")
_INFERRED: Mapping[str, str] = {"onnx.infer": "onnxruntime.quant"}

Graph: TypeAlias = Any  # onnx.ModelProto
Ranges: TypeAlias = TensorsData


def calibrate(graph: Graph, images: NDArray[np.uint8], scheme: Int8Scheme, folder: Path) -> Ranges:
    """Find the range of each activation: the smallest and largest value that any image gives it.

    Histograms that cut off rare values were tried: percentiles of 99.999 gave the same cosines, lower ones and entropy
    worse ones, down to 0.75 in the worst row. Embeddings live on the rare large values.

    Args:
        graph: typed ONNX model, float throughout.
        images: uint8 `[N, H, W, 3]`.
        scheme: which operators will be quantised.
        folder: where files may lie for the while.
    """
    with tempfile.TemporaryDirectory(prefix=".calibration-", dir=folder) as beside, quiet_quantiser():
        typed = Path(beside) / "typed.onnx"
        onnx.save(graph, typed)
        observer = create_calibrator(
            typed,
            list(scheme.operators),
            augmented_model_path=str(Path(beside) / "observed.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
        )
        observer.collect_data(_Batches(images))
        return observer.compute_data()


def quantise(
    graph: Graph, ranges: Ranges, scheme: Int8Scheme, *, only: Collection[str] = (), spared: Collection[str] = ()
) -> Graph:
    """Write int8 into a graph.

    Args:
        graph: as it was calibrated; left as it is.
        ranges: of its activations.
        scheme: as it was calibrated with.
        only: the layers to quantise, by the names of their weights; none: all.
        spared: layers that stay as they are, together with what only passes their results on.

    Raises:
        ExportError: a spared layer that the graph doesn't have.
    """
    inferred = onnx.shape_inference.infer_shapes(graph)
    # So marked, ONNX Runtime doesn't infer the shapes again by way of a file in the system's temporary folder.
    onnx.helper.set_model_props(inferred, _INFERRED)
    with quiet_quantiser():
        quantiser = QDQQuantizer(
            inferred,
            per_channel=True,
            reduce_range=scheme.reduced,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QInt8 if scheme.signed else QuantType.QUInt8,
            tensors_range=ranges,
            nodes_to_quantize=_nodes_of(inferred.graph, only),
            nodes_to_exclude=_with_followers(inferred.graph, _nodes_of(inferred.graph, spared)),
            op_types_to_quantize=list(scheme.operators),
            extra_options=dict(scheme.options),
        )
        quantiser.quantize_model()
        quantiser.model.topological_sort()
    return quantiser.model.model


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Images as ONNX Runtime asks for them: a batch at a time, then None."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._batches = iter(np.split(images, range(_BATCH, len(images), _BATCH)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def _nodes_of(graph: Any, names: Collection[str]) -> list[str]:
    nodes = {layer.name: layer.node for layer in weighted_layers(graph)}
    unknown = sorted(set(names) - set(nodes))
    if unknown:
        raise ExportError(f"The model has no layer {', '.join(unknown)}.", f"Its layers are: {', '.join(nodes)}.")
    return [nodes[name] for name in names]


def _with_followers(graph: Any, nodes: list[str]) -> list[str]:
    """The nodes and those that take their results through additions and activations, up to the next layers."""
    takers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            takers.setdefault(name, []).append(node)
    by_name = {node.name: node for node in graph.node}
    return list(dict.fromkeys(name for node in nodes for name in (node, *_followers(by_name[node], takers))))


def _followers(node: Any, takers: Mapping[str, list[Any]]) -> Iterator[str]:
    for taker in (taker for output in node.output for taker in takers.get(output, [])):
        if taker.op_type in _PASSING_ON:
            yield taker.name
            yield from _followers(taker, takers)
