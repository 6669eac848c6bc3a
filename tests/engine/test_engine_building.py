"""Everything of `sfsc-deploy build` that comes before the builder, and the sidecar after it: building takes a GPU."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from typer.testing import CliRunner

from left_for_device import L4, ORIN, Left
from sfsc_deploy import __version__
from sfsc_deploy.artifact import EngineDevice, Fidelity, check_files, read_sidecar, write_sidecar
from sfsc_deploy.building import BuildTask, build, built_sidecar, read_recipe, why_not_here
from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine.build import Compatibility
from sfsc_deploy.runtime.engine.fitness import Host

ON_ORIN = Host("10.3.0", ORIN)


def refused(left: Left, **options: Any) -> str:
    """What a build is refused with; it must leave nothing behind."""
    before = left.names
    with pytest.raises(SfscError) as caught:
        build(BuildTask(left.recipe, **options))
    assert left.names == before
    return str(caught.value)


def change(left: Left, **changed: Any) -> None:
    document = json.loads(left.recipe.read_text(encoding="utf-8"))
    left.recipe.write_text(json.dumps(document | changed), encoding="utf-8")


@pytest.mark.usefixtures("without_gpu")
def test_without_a_gpu_the_command_says_what_is_missing(left: Left) -> None:
    before = left.names
    answer = CliRunner().invoke(app, ["build", str(left.recipe)])
    assert answer.exit_code == 2
    assert answer.stderr.startswith(f"{left.engine} can't be built here: a TensorRT engine needs an NVIDIA GPU")
    assert "Build it on the device that it was exported for" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert left.names == before


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (Host("10.3.0", L4), r"for a GPU of compute capability 8.7, NVIDIA L4 here has 8.9"),
        (Host("10.2.0", ORIN), r"to be built with TensorRT >=10.3,<12, here is 10.2.0"),
        (Host("12.0.1", ORIN), r"to be built with TensorRT >=10.3,<12, here is 12.0.1"),
    ],
)
def test_another_device_is_refused(left: Left, on: Callable[[Host], None], host: Host, why: str) -> None:
    on(host)
    assert why in refused(left)
    assert why in str(why_not_here("8.7", ">=10.3,<12"))


def test_a_fitting_device_is_not_refused(on: Callable[[Host], None]) -> None:
    on(ON_ORIN)
    assert why_not_here("8.7", ">=10.3,<12") is None


def test_on_a_jetson_no_engine_is_made_for_other_gpus(left: Left, on: Callable[[Host], None]) -> None:
    on(ON_ORIN)
    assert "Orin, an integrated GPU" in refused(left, compatibility=Compatibility(hardware=True))


def test_an_existing_engine_is_not_overwritten(left: Left, on: Callable[[Host], None]) -> None:
    on(ON_ORIN)
    left.engine.write_bytes(b"an engine")
    assert "--overwrite" in refused(left)
    assert left.engine.read_bytes() == b"an engine"


def test_an_onnx_file_of_another_export_is_refused(left: Left, on: Callable[[Host], None]) -> None:
    on(ON_ORIN)
    left.onnx.write_bytes(left.onnx.read_bytes() + b"x")
    told = refused(left)
    assert f"{left.onnx} is not the file that {left.recipe} is for" in told
    assert left.read().onnx_sha256[:12] in told


@pytest.mark.parametrize("changed", [{"files": {"jetson.onnx": 64 * "0"}}, {"precision": "mixed"}])
def test_a_sidecar_of_another_export_is_refused(left: Left, changed: dict[str, Any]) -> None:
    write_sidecar(left.onnx, read_sidecar(left.onnx).model_copy(update=changed))
    assert f"{left.onnx}.json is that of another export" in refused(left)


@pytest.mark.parametrize("absent", ["jetson.onnx", "jetson.onnx.json", "jetson.build.json"])
def test_what_is_missing_is_named(left: Left, absent: str) -> None:
    left.recipe.with_name(absent).unlink()
    assert absent in refused(left)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"onnx": 1}', "\xff"])
def test_a_broken_recipe_is_refused(left: Left, text: str) -> None:
    left.recipe.write_text(text, encoding="latin-1")
    assert f"{left.recipe} is not valid" in refused(left)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("onnx", "../jetson.onnx"),
        ("onnx", ".."),
        ("engine", "/etc/engine"),
        ("engine", "..\\engine"),
        ("onnx_sha256", "abc"),
        ("strongly_typed", False),
        ("tf32", True),
        ("workspace_mb", 0),
        ("image", {"min": [1, 6, 5, 3], "opt": [0, 6, 5, 3], "max": [4, 6, 5, 3]}),
        ("image", {"min": [8, 6, 5, 3], "opt": [4, 6, 5, 3], "max": [16, 6, 5, 3]}),
        ("image", {"min": [1, 6, 5, 3], "opt": [4, 7, 5, 3], "max": [16, 6, 5, 3]}),
        ("surprise", 1),
    ],
)
def test_a_recipe_that_makes_no_sense_names_the_field(left: Left, field: str, value: object) -> None:
    change(left, **{field: value})
    assert f"field `{field}" in refused(left)


def test_a_recipe_for_unknown_versions_is_refused(left: Left, on: Callable[[Host], None]) -> None:
    on(ON_ORIN)
    change(left, tensorrt="ten")
    assert "doesn't say which versions" in refused(left)


def test_a_recipe_is_read_as_it_was_written(left: Left) -> None:
    assert read_recipe(left.recipe) == left.read()


def test_the_sidecar_of_an_engine_inherits_no_verdict(left: Left) -> None:
    left.engine.write_bytes(b"what a builder gave")
    device = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")
    of_the_model = Fidelity(min_cosine=0.9999, p1_cosine=0.9999, median_cosine=1, images=48)
    source = read_sidecar(left.onnx).model_copy(update={"fidelity": of_the_model})
    sidecar = built_sidecar(source, left.engine, left.read(), device)
    assert sidecar.files == {"jetson.engine": sha256(b"what a builder gave").hexdigest()}
    assert check_files(left.engine, sidecar) == []
    assert sidecar.build.status == "built"
    assert sidecar.build.device == device
    assert sidecar.build.command == "sfsc-deploy build jetson.build.json"
    assert sidecar.build.onnx_sha256 == sha256(left.onnx.read_bytes()).hexdigest()
    assert sidecar.fidelity is None
    assert sidecar.size_bytes == len(b"what a builder gave")
    assert sidecar.tools == {**source.tools, "sfsc-deploy": __version__, "tensorrt": "10.3.0", "cuda": "12.6"}
    assert sidecar.description() == source.description()
