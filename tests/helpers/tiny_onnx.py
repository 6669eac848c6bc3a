"""ONNX files of a few nodes that keep the contract of an artifact, or break it as asked; no torch involved."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH, DIM = 6, 5, 4


def tiny_weights(seed: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    """A linear embedding of pixels, float32 [HEIGHT * WIDTH * 3, dim]."""
    return np.random.default_rng(seed).standard_normal((HEIGHT * WIDTH * 3, dim)).astype(np.float32)


def tiny_embedding(images: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a right tiny file gives for `images`, computed the obvious way."""
    rows = []
    for image in images:
        product = (image.reshape(-1) / 255.0).astype(np.float64) @ weights.astype(np.float64)
        rows.append(product / np.linalg.norm(product))
    return np.array(rows, np.float32)


def write_tiny_onnx(
    path: Path,
    weights: NDArray[np.float32] | None = None,
    *,
    batch: str | int = "N",
    rows: int = -1,
    hide_dim: bool = False,
    output_type: int = TensorProto.FLOAT,
    input_type: int = TensorProto.UINT8,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write `image` -> Cast -> Div -> Reshape -> MatMul -> L2 normalisation -> `embedding`.

    `rows` is what the Reshape says of the batch: any number but -1 fixes it behind what the input declares. With
    `hide_dim` a selection of all columns follows, whose number of columns nobody can tell from the graph.
    """
    weights = tiny_weights() if weights is None else weights
    dim = weights.shape[1]
    last = "all_columns" if hide_dim else "unit"
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "levels"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "flat_shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("LpNormalization", ["product"], ["unit"], axis=1, p=2),
        helper.make_node("Compress", ["unit", "columns"], ["all_columns"], axis=1),
        helper.make_node("Cast", [last], ["embedding"], to=output_type),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", input_type, [batch, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("embedding", output_type, [batch, "D" if hide_dim else dim])],
        [
            numpy_helper.from_array(np.array(255, np.float32), "levels"),
            numpy_helper.from_array(np.array([rows, HEIGHT * WIDTH * 3 if rows == -1 else -1]), "flat_shape"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.ones(dim, np.bool_), "columns"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, path)
    return path


def some_images(count: int, seed: int = 1) -> NDArray[np.uint8]:
    """Noise, uint8 [count, HEIGHT, WIDTH, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
