"""ONNX files, and those in ONNX Runtime's own format, from strangers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="it runs what it is given")
onnx = pytest.importorskip("onnx", reason="it writes what is given")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from exporters import ort_precision, precision  # noqa: E402
from exporters.errors import ExportError  # noqa: E402
from hostile import in_a_child, mutants, refused  # noqa: E402
from sfsc_deploy.cli.app import app  # noqa: E402
from sfsc_deploy.errors import SfscError  # noqa: E402
from sfsc_deploy.runtime import load  # noqa: E402
from sfsc_deploy.runtime.onnx_claims import LARGEST, refuse_claims  # noqa: E402
from tiny_onnx import some_images, write_tiny_onnx  # noqa: E402

NUMBERS = 4 * LARGEST  # 1 GiB as float32
Change = Callable[[Any], None]


def written(path: Path, *changes: Change) -> Path:
    model = onnx.load(write_tiny_onnx(path))
    for change in changes:
        change(model)
    path.write_bytes(model.SerializeToString())
    return path


def in_ort_format(source: Path) -> Path:
    target = source.with_suffix(".ort")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(target)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return target


def multiplied_by_the_sum_of(graph: Any, name: str) -> None:
    last = graph.node.pop()
    graph.node.extend(
        [
            helper.make_node("ReduceSum", [name], ["total"], keepdims=0),
            helper.make_node("Mul", [last.input[0], "total"], ["weighed"]),
            helper.make_node("Cast", ["weighed"], ["embedding"], to=TensorProto.FLOAT),
        ]
    )


def sized(kind: str, *before: str) -> Callable[[int], Change]:
    """A node whose result has as many numbers as a constant says."""

    def of(numbers: int) -> Change:
        def change(model: Any) -> None:
            shape = np.array([numbers], np.int64)
            model.graph.initializer.append(numpy_helper.from_array(shape, "size"))
            model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
            model.graph.node.insert(0, helper.make_node(kind, [*before, "size"], ["many"]))
            multiplied_by_the_sum_of(model.graph, "many")

        return change

    return of


def constant_node(numbers: int) -> Change:
    def change(model: Any) -> None:
        size = helper.make_node("Constant", [], ["size"], value_ints=[numbers])
        model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["size"], ["many"]))
        model.graph.node.insert(0, size)
        multiplied_by_the_sum_of(model.graph, "many")

    return change


def sparse(numbers: int) -> Change:
    def change(model: Any) -> None:
        stored = model.graph.sparse_initializer.add(dims=[numbers])
        stored.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "many"))
        stored.indices.CopyFrom(numpy_helper.from_array(np.zeros(1, np.int64), "place"))
        multiplied_by_the_sum_of(model.graph, "many")

    return change


def stored_elsewhere(place: str) -> Change:
    def change(model: Any) -> None:
        (weights,) = (tensor for tensor in model.graph.initializer if tensor.name == "weights")
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=place)

    return change


CLAIMS = [sized("ConstantOfShape"), sized("Expand", "one"), sized("Tile", "one"), constant_node, sparse]


@pytest.mark.parametrize("suffix", [".onnx", ".ort"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    file = write_tiny_onnx(tmp_path / "a.onnx")
    reader: Any = precision
    if suffix == ".ort":
        file, reader = in_ort_format(file), ort_precision
    capfd.readouterr()
    for content in mutants(file.read_bytes(), 250):
        file.write_bytes(content)
        refused(lambda: load(file, threads=1).embed(some_images(2)))
        refused(lambda: reader.read_precision(file))
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_claims_little_is_run(tmp_path: Path, claim: Callable[[int], Change]) -> None:
    file = written(tmp_path / "a.onnx", claim(100))
    for each in (file, in_ort_format(file)):
        assert load(each, threads=1).embed(some_images(2)).shape == (2, 4)


def test_what_claims_gigabytes_is_refused_within_the_memory_that_a_small_file_takes(tmp_path: Path) -> None:
    small = in_ort_format(written(tmp_path / "small.onnx"))
    files = [written(tmp_path / f"{number}.onnx", claim(NUMBERS)) for number, claim in enumerate(CLAIMS)]
    for number, claim in enumerate(CLAIMS):
        file = in_ort_format(written(tmp_path / f"ort{number}.onnx", claim(1_000_003)))
        content = file.read_bytes()
        file.write_bytes(content.replace((1_000_003).to_bytes(8, "little"), NUMBERS.to_bytes(8, "little")))
        assert file.read_bytes() != content
        files.append(file)
    prepare = (
        "from sfsc_deploy.runtime import load\nfrom tiny_onnx import some_images\n"
        f"load({str(small)!r}).embed(some_images(2))"
    )
    helpers = f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[1] / 'helpers')!r})\n"
    said, mebibytes = in_a_child(helpers + prepare, "load(file).embed(some_images(2))", *files)
    assert all(line.startswith("SfscError") and "claims tensors" in line for line in said)
    assert mebibytes < 64


def test_an_initialiser_larger_than_its_bytes_is_refused(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model.graph.initializer.add(name="many", dims=[NUMBERS], data_type=TensorProto.FLOAT, raw_data=b"1234")
        multiplied_by_the_sum_of(model.graph, "many")

    assert refused(lambda: load(written(tmp_path / "a.onnx", change)))


@pytest.mark.parametrize("place", ["../w", "/etc/hostname", "a/../../w", "C:\\w", "link", "a\0b", "", "."])
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    """Also by versions of ONNX Runtime that would read them."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (tmp_path / "w").write_bytes(bytes(10_000))
    (folder / "link").symlink_to("../w")
    file = written(folder / "a.onnx", stored_elsewhere(place))
    with pytest.raises(SfscError, match="weights outside of its folder"):
        refuse_claims(file)
    assert refused(lambda: load(file))


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    file = written(tmp_path / "a.onnx", stored_elsewhere("a.data"))
    (tmp_path / "a.data").write_bytes(np.ones((90, 4), np.float32).tobytes())
    assert load(file, threads=1).embed(some_images(1)).shape == (1, 4)


def test_messages_that_lie_endlessly_in_each_other_are_refused(tmp_path: Path) -> None:
    content = b""
    for field in (0x3A, 0x0A, 0x2A, *((0x32, 0x0A, 0x2A) * 500))[::-1]:  # graph, node, attribute, graph, ...
        content = bytes([field]) + _varint(len(content)) + content
    (tmp_path / "a.onnx").write_bytes(content)
    assert refused(lambda: load(tmp_path / "a.onnx"))
    with pytest.raises(ValueError, match="deep"):
        refuse_claims(tmp_path / "a.onnx")


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + _varint(number >> 7)


def test_a_graph_that_runs_in_a_circle_has_no_precision(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model.graph.node.insert(0, helper.make_node("Identity", ["round"], ["round"]))
        model.graph.node.insert(0, helper.make_node("MatMul", ["image", "round"], ["never"]))

    assert refused(lambda: precision.read_precision(written(tmp_path / "a.onnx", change))) is False
    with pytest.raises(ExportError, match="isn't whole"):
        precision.read_precision(written(tmp_path / "b.onnx", lambda model: model.graph.node[3].ClearField("input")))


def test_the_command_fails_such_files_without_a_traceback(tmp_path: Path) -> None:
    good, claims = write_tiny_onnx(tmp_path / "good.onnx"), written(tmp_path / "claims.onnx", sparse(NUMBERS))
    outside, cut = written(tmp_path / "outside.onnx", stored_elsewhere("../w")), tmp_path / "cut.onnx"
    cut.write_bytes(good.read_bytes()[:300])
    files = [str(file) for file in (good, claims, outside, cut)]
    done = CliRunner().invoke(app, ["verify-compat", *files, "--json", str(tmp_path / "a.json")])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
