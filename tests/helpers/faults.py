"""Surgery on exported ONNX files: each function makes one fault that devices and tools are known for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sfsc_deploy.artifact import read_sidecar, write_sidecar
from sfsc_deploy.files import sha256_of

Fault = Callable[[Any], None]
"""Changes an onnx.ModelProto in place."""


def operate(path: Path, fault: Fault, *, sealed: bool = True) -> Path:
    """Make `fault` in the file at `path`; sealed, its sidecar tells the hash of the faulty file."""
    model = onnx.load(path)
    fault(model)
    onnx.save(model, path)
    return seal(path) if sealed else path


def seal(path: Path) -> Path:
    """Let the sidecar tell the hashes that its files and its probe have now."""
    sidecar = read_sidecar(path)
    files = {name: sha256_of(path.with_name(name)) for name in sidecar.files}
    probe = sidecar.probe.model_copy(update={"sha256": sha256_of(path.with_name(sidecar.probe.file))})
    write_sidecar(path, sidecar.model_copy(update={"files": files, "probe": probe}))
    return path


def scaled_layer(factor: float, layer: str = "model.backbone.layer2.0.conv1.weight") -> Fault:
    """The weights of one convolution, scaled."""

    def fault(model: Any) -> None:
        stored = next(tensor for tensor in model.graph.initializer if tensor.name == layer)
        weights = numpy_helper.to_array(stored)
        stored.CopyFrom(numpy_helper.from_array((weights * factor).astype(weights.dtype), layer))

    return fault


def normalised_twice(model: Any) -> None:
    """Mean and standard deviation taken off pixels that are normalised already."""
    pixels = _node(model, "Sub")
    _insert_after(
        model,
        pixels,
        [
            helper.make_node("Mul", [_moved(pixels), "scale"], ["scaled_again"]),
            helper.make_node("Sub", ["scaled_again", "offset"], [_original(pixels)]),
        ],
    )


def not_normalised_before(model: Any) -> None:
    """Pixels of 0 to 1 with neither mean nor standard deviation taken off."""
    pixels = _node(model, "Sub")
    model.graph.initializer.append(numpy_helper.from_array(np.array(1 / 255, np.float32), "levels"))
    cast = _node(model, "Cast")
    _insert_after(model, pixels, [helper.make_node("Mul", [cast.output[0], "levels"], [_original(pixels)])])


def blue_for_red(model: Any) -> None:
    """BGR taken for RGB."""
    cast = _node(model, "Cast")
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0]), "swapped"))
    swap = helper.make_node("Gather", [_moved(cast), "swapped"], [_original(cast)], axis=3)
    _insert_after(model, cast, [swap])


def upside_down(model: Any) -> None:
    """The rows of an image from the bottom to the top, as bitmaps and some cameras store them."""
    cast = _node(model, "Cast")
    height = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    model.graph.initializer.append(numpy_helper.from_array(np.arange(height)[::-1].copy(), "bottom_up"))
    flip = helper.make_node("Gather", [_moved(cast), "bottom_up"], [_original(cast)], axis=1)
    _insert_after(model, cast, [flip])


def embedding_not_normalised(model: Any) -> None:
    """The last division left out."""
    division = model.graph.node[-1]
    division.CopyFrom(helper.make_node("Identity", [division.input[0]], list(division.output)))


def embedding_halved(model: Any) -> None:
    """The right direction with half of the norm."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    _after_embedding(model, "Mul", "half")


def constant_embedding(model: Any) -> None:
    """The same unit vector for every image."""
    dim = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    unit = np.zeros((1, dim), np.float32)
    unit[0, 0] = 1
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    model.graph.initializer.append(numpy_helper.from_array(unit, "unit"))
    last = model.graph.node[-1]
    nodes = [
        helper.make_node("Mul", [_moved(last), "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "unit"], [_original(last)]),
    ]
    _insert_after(model, last, nodes)


def not_a_number(model: Any) -> None:
    """One component of every embedding is NaN."""
    dim = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    spoiled = np.zeros(dim, np.float32)
    spoiled[-1] = np.nan
    model.graph.initializer.append(numpy_helper.from_array(spoiled, "spoiled"))
    _after_embedding(model, "Add", "spoiled")


def mean_of_the_batch(model: Any) -> None:
    """Some of the mean of the batch in every row before it is normalised: right one by one, wrong together."""
    division = model.graph.node[-1]
    source = next(node for node in model.graph.node if division.input[0] in node.output)
    for name, value in (("some", np.array(0.1, np.float32)), ("over_batch", np.array([0]))):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    nodes = [
        helper.make_node("ReduceMean", [_moved(source), "over_batch"], ["mean_of_batch"], keepdims=1),
        helper.make_node("Mul", ["mean_of_batch", "some"], ["some_mean"]),
        helper.make_node("Add", [_moved(source), "some_mean"], [_original(source)]),
    ]
    _insert_after(model, source, nodes)


def batch_fixed(size: int) -> Fault:
    """N declared to be a number."""

    def fault(model: Any) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = size
        del model.graph.value_info[:]

    return fault


def batch_fixed_inside(size: int) -> Fault:
    """N declared open, but reshaped to a number inside, in a way that shape inference doesn't see."""

    def fault(model: Any) -> None:
        last = model.graph.node[-1]
        dim = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
        for name, value in (("no_size", np.array([0, 0])), ("fixed", np.array([size, dim]))):
            model.graph.initializer.append(numpy_helper.from_array(value, name))
        nodes = [
            helper.make_node("Shape", [_moved(last)], ["real_size"]),
            helper.make_node("Mul", ["real_size", "no_size"], ["forgotten_size"]),
            helper.make_node("Add", ["forgotten_size", "fixed"], ["fixed_size"]),
            helper.make_node("Reshape", [_moved(last), "fixed_size"], [_original(last)]),
        ]
        _insert_after(model, last, nodes)

    return fault


def truncate(path: Path) -> Path:
    """Keep the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def _node(model: Any, operator: str) -> Any:
    return next(node for node in model.graph.node if node.op_type == operator)


def _after_embedding(model: Any, operator: str, operand: str) -> None:
    last = model.graph.node[-1]
    _insert_after(model, last, [helper.make_node(operator, [_moved(last), operand], [_original(last)])])


def _original(node: Any) -> str:
    return str(node.output[0]).removesuffix("_before")


def _moved(node: Any) -> str:
    return f"{_original(node)}_before"


def _insert_after(model: Any, node: Any, new: list[Any]) -> None:
    """Let `node` give `<output>_before`, from which the `new` nodes make its output."""
    place = list(model.graph.node).index(node) + 1
    node.output[0] = _moved(node)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:place], *new, *nodes[place:]])
