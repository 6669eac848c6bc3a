"""How much each layer suffers from int8."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from exporters.int8_scheme import Int8Scheme
from exporters.onnx_contract import INPUT, OUTPUT
from exporters.precision import weighted_layers
from exporters.quantise import calibrate, quantise

_IMAGES = 64
_FATAL = 4


def layer_harm(graph: Any, images: NDArray[np.uint8], scheme: Int8Scheme, folder: Path) -> dict[str, float]:
    """Measure what int8 in one layer alone does to the embeddings, layer by layer.

    The layer's weights and what it takes and gives are quantised, everything else stays float. Embeddings are compared
    with those of the float graph, on calibration images: whatever judges the mix later has seen none of this.

    Args:
        graph: typed `onnx.ModelProto`, float throughout.
        images: uint8 `[N, H, W, 3]`; all calibrate, the first 64 measure.
        scheme: how int8 is written.
        folder: where files may lie for the while.

    Returns:
        By the name of a layer's weights, 1 - mean cosine.
    """
    ranges = calibrate(graph, images, scheme, folder)
    sample = images[:_IMAGES]
    wanted = _embed(graph, sample)
    names = dict.fromkeys(layer.name for layer in weighted_layers(graph.graph))
    return {name: _harm(_embed(quantise(graph, ranges, scheme, only=[name]), sample), wanted) for name in names}


def _embed(graph: Any, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([OUTPUT], {INPUT: images})[0], np.float64)


def _harm(embedding: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Both `[N, D]`, of norm 1; NaN counts as the worst."""
    cosine = (embedding * wanted).sum(axis=1)
    return float(np.nan_to_num(1 - cosine, nan=2.0).mean())
