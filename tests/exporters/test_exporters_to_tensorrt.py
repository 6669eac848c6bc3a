import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from torch import nn

from exporters import ExportError, ExportRequest, ExportResult, TensorrtTarget, export
from exporters.build_recipe import BuildRecipe, InputShapes, build_command, trtexec_command


def test_leaves_a_typed_model_and_its_recipe(tensorrt: ExportResult) -> None:
    assert [path.name for path in tensorrt.files] == ["jetson@0.5.onnx", "jetson@0.5.build.json"]
    assert sorted(tensorrt.files[0].parent.iterdir()) == sorted(tensorrt.files)
    assert tensorrt.status == "to be built on the device"
    assert (tensorrt.format, tensorrt.precision) == ("tensorrt", "float16")


def test_the_recipe_says_all_that_decides_the_engine(tensorrt: ExportResult) -> None:
    onnx, recipe = tensorrt.files
    assert json.loads(recipe.read_text(encoding="utf-8")) == {
        "schema_version": 1,
        "onnx": "jetson@0.5.onnx",
        "onnx_sha256": hashlib.sha256(onnx.read_bytes()).hexdigest(),
        "engine": "jetson@0.5.engine",
        "precision": "float16",
        "strongly_typed": True,
        "tf32": False,
        "image": {"min": [1, 32, 24, 3], "opt": [4, 32, 24, 3], "max": [17, 32, 24, 3]},
        "compute_capability": "8.7",
        "tensorrt": ">=10.3,<11",
        "workspace_mb": 512,
        "command": tensorrt.command,
        "trtexec": (
            "trtexec --onnx=jetson@0.5.onnx --saveEngine=jetson@0.5.engine --stronglyTyped --noTF32 "
            "--minShapes=image:1x32x24x3 --optShapes=image:4x32x24x3 --maxShapes=image:17x32x24x3 "
            "--memPoolSize=workspace:512 --skipInference"
        ),
    }


def test_the_command_builds_it(tensorrt: ExportResult) -> None:
    assert tensorrt.command == "sfsc-deploy build jetson@0.5.build.json"
    assert shlex.split(build_command("my net.build.json")) == ["sfsc-deploy", "build", "my net.build.json"]


def test_names_with_spaces_survive_the_shell() -> None:
    image = InputShapes(min=(1, 2, 2, 3), opt=(1, 2, 2, 3), max=(1, 2, 2, 3))
    command = trtexec_command("my net.onnx", "my net.engine", image, 64)
    assert shlex.split(command)[1:3] == ["--onnx=my net.onnx", "--saveEngine=my net.engine"]


def test_the_recipe_is_read_back_and_unknown_keys_are_refused(tensorrt: ExportResult) -> None:
    text = tensorrt.files[1].read_text(encoding="utf-8")
    recipe = BuildRecipe.model_validate_json(text)
    assert recipe.image.max == (17, 32, 24, 3)
    with pytest.raises(ValidationError, match="surprise"):
        BuildRecipe.model_validate({**json.loads(text), "surprise": 1})


def test_the_typed_model_runs_in_onnx_runtime(
    tensorrt: ExportResult, onnx_float16: ExportResult, images: np.ndarray, run_onnx: Callable[..., np.ndarray]
) -> None:
    assert np.array_equal(run_onnx(tensorrt.files[0], images), run_onnx(onnx_float16.files[0], images))


def test_a_request_without_a_device_is_refused(
    net: nn.Module, request_for: Callable[..., ExportRequest], tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"belongs to one device.*\[tensorrt\] table"):
        export("tensorrt", net, request_for(), tmp_path / "engine")


def test_a_workspace_of_nothing_is_refused() -> None:
    with pytest.raises(ExportError, match="0 MiB"):
        TensorrtTarget(compute_capability="8.7", version="10.3", workspace_mb=0)
