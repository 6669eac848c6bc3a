"""CoreML packages as they are written; how they embed is tried where they are run."""

import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("coremltools", reason="it writes the packages, and has no wheel for this machine")

from exporters import CoremlTarget, ExportError, ExportRequest, ExportResult, export, to_coreml
from exporters.coreml_contract import contract_problems
from exporters.coreml_precision import operations, precision_per_layer, read_precision
from exporters.quiet_coreml import load_coremltools, quiet_conversion
from mil_programs import numbers, program

DIM = 16
RequestFor = Callable[..., ExportRequest]

# Which type the results of operations have, by precision: the model itself against what surrounds it.
TYPES = {"float32": "FLOAT32", "float16": "FLOAT16", "int8": "FLOAT16"}
AROUND = ("mul", "sub", "reduce_l2_norm", "maximum", "real_div")
LAYERS = ("conv", "linear", "relu", "add", "max_pool", "reduce_mean")


@pytest.fixture(scope="module")
def phone(request_for: RequestFor) -> RequestFor:
    def make(**changes: Any) -> ExportRequest:
        return request_for(**{"batch": (1, 1, 1), "coreml": CoremlTarget("iOS16"), **changes})

    return make


@pytest.fixture(scope="module")
def written(net: nn.Module, phone: RequestFor, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, ExportResult]:
    folder = tmp_path_factory.mktemp("coreml")
    return {
        precision: export("coreml", net, phone(precision=precision), folder / f"{precision}@0.5") for precision in TYPES
    }


def spec_of(result: ExportResult) -> Any:
    return load_coremltools().utils.load_spec(str(result.files[0]))


@pytest.mark.parametrize("precision", TYPES)
def test_the_precision_is_the_one_asked_for(written: Mapping[str, ExportResult], precision: str) -> None:
    result = written[precision]
    assert result.precision == precision
    assert set(precision_per_layer(result.files[0]).values()) == {precision}
    assert len(precision_per_layer(result.files[0])) == 5  # four convolutions and the head


@pytest.mark.parametrize("precision", TYPES)
def test_only_the_model_itself_is_float16(written: Mapping[str, ExportResult], precision: str) -> None:
    found: dict[str, set[str]] = {}
    for op in operations(spec_of(written[precision])):
        kind = op.outputs[0].type.tensorType
        name = kind.DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number[kind.dataType].name
        found.setdefault(op.type, set()).add(name)
    assert {name: found[name] for name in AROUND} == {name: {"FLOAT32"} for name in AROUND}
    assert {name: found[name] for name in LAYERS} == {name: {TYPES[precision]} for name in LAYERS}
    assert "batch_norm" not in found


@pytest.mark.parametrize("precision", TYPES)
def test_the_contract_is_kept(written: Mapping[str, ExportResult], precision: str) -> None:
    assert contract_problems(spec_of(written[precision]), 32, 24, DIM) == []


def test_the_metadata_is_inside_and_the_day_is_not(written: Mapping[str, ExportResult]) -> None:
    stored = spec_of(written["int8"]).description.metadata.userDefined
    assert stored["sfsc.sidecar"] == '{"width": 0.5}'
    assert stored["author"] == "a test"
    assert not [key for key in stored if "date" in key]


def test_a_package_holds_its_three_parts_and_nothing_of_this_machine(written: Mapping[str, ExportResult]) -> None:
    for result in written.values():
        (package,) = result.files
        files = {
            path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*") if path.is_file()
        }
        data = "Data/com.apple.CoreML"
        assert set(files) == {"Manifest.json", f"{data}/model.mlmodel", f"{data}/weights/weight.bin"}
        assert not [name for name, content in files.items() if b".py" in content or str(Path.cwd()).encode() in content]


def test_int8_weights_take_half_the_room_of_float16(written: Mapping[str, ExportResult]) -> None:
    sizes = {
        precision: (result.files[0] / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
        for precision, result in written.items()
    }
    assert sizes["float32"] > 1.7 * sizes["float16"] > 1.3 * 1.7 * sizes["int8"]


def test_the_facts_are_those_of_the_onnx_file(written: Mapping[str, ExportResult], onnx_float32: ExportResult) -> None:
    for result in written.values():
        assert result.format == "coreml"
        assert result.status == "built"
        assert result.parameters == onnx_float32.parameters
        assert result.multiply_adds == onnx_float32.multiply_adds
        assert set(result.tools) == {"torch", "coremltools"}


@pytest.mark.parametrize(("target", "version"), [("iOS17", 8), ("macOS15", 9)])
def test_the_oldest_system_is_the_one_asked_for(
    net: nn.Module, phone: RequestFor, tmp_path: Path, target: str, version: int
) -> None:
    wanted = phone(precision="int8", coreml=CoremlTarget(target))
    result = export("coreml", net, wanted, tmp_path / "net")
    assert spec_of(result).specificationVersion == version
    assert result.precision == "int8"


def test_equal_models_give_equal_bytes_without_a_word(
    written: Mapping[str, ExportResult], net: nn.Module, phone: RequestFor, tmp_path: Path
) -> None:
    """In a process of its own: what coremltools says when it is imported, it says once."""
    torch.save((net, phone(precision="float16")), tmp_path / "task.pt")
    program = (
        "import sys, torch\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport conftest\n"
        "sys.modules['tests.exporters.conftest'] = conftest\n"
        f"net, request = torch.load({str(tmp_path / 'task.pt')!r}, weights_only=False)\n"
        "from exporters import export\n"
        f"export('coreml', net, request, Path({str(tmp_path / 'float16@0.5')!r}))\n"
    )
    told = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    (before,) = written["float16"].files
    for path in (path for path in before.rglob("*") if path.is_file()):
        assert (tmp_path / "float16@0.5.mlpackage" / path.relative_to(before)).read_bytes() == path.read_bytes()


def test_other_remarks_of_coremltools_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("coremltools")
    with quiet_conversion():
        logger.warning("Torch version 2.13.0 has not been tested with coremltools.")
        logger.warning("A layer is not supported.")
    logger.warning("Torch version 2.13.0 has not been tested with coremltools.")
    assert [record.getMessage()[:7] for record in caplog.records] == ["A layer", "Torch v"]


def test_progress_bars_come_back(capfd: pytest.CaptureFixture[str]) -> None:
    from tqdm import tqdm

    with pytest.raises(ZeroDivisionError), quiet_conversion():
        list(tqdm([1, 0 // 0]))
    with quiet_conversion():
        list(tqdm([1]))
    assert capfd.readouterr().err == ""
    list(tqdm([1]))
    assert "1/1" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"coreml": None}, r"doesn't tell which.*\[coreml\] table"),
        ({"coreml": CoremlTarget("iOS15")}, "'iOS15' was asked for.*from iOS16 on.*iOS16, iOS17"),
        ({"coreml": CoremlTarget("iOS99")}, "'iOS99' was asked for"),
        ({"batch": (1, 8, 32)}, "max 32 was asked for.*one image at a time"),
        ({"dim": 17}, r"breaks the contract.*FLOAT32 \[1, 16\], expected.*FLOAT32 \[1, 17\]"),
    ],
    ids=["no target", "old", "unknown", "batch", "dim"],
)
def test_a_request_that_a_package_cannot_honour_is_refused(
    net: nn.Module, phone: RequestFor, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ExportError, match=told):
        export("coreml", net, phone(**change), tmp_path / "net")


def test_an_image_that_the_model_cannot_take_is_refused(net: nn.Module, phone: RequestFor, tmp_path: Path) -> None:
    class Fussy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3 * 8 * 8, DIM)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x.flatten(1))

    with pytest.raises(ExportError, match="32 x 24"):
        export("coreml", Fussy(), phone(), tmp_path / "net")


def test_a_model_that_coremltools_cannot_convert_is_told_in_a_line(phone: RequestFor, tmp_path: Path) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, DIM)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.special.bessel_j0(x).mean((2, 3)))

    with pytest.raises(ExportError, match=r"coremltools can't write the model to .*bessel") as told:
        export("coreml", Odd(), phone(), tmp_path / "net")
    assert "\n" not in told.value.message


def test_nothing_is_overwritten(net: nn.Module, phone: RequestFor, tmp_path: Path) -> None:
    package = tmp_path / "net.mlpackage"
    package.mkdir()
    (package / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ExportError, match=r"net\.mlpackage"):
        export("coreml", net, phone(), tmp_path / "net")
    assert (package / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_float32_in_place_of_float16_is_noticed(
    net: nn.Module, phone: RequestFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_coreml, "may_be_float16", lambda op: False)
    with pytest.raises(ExportError, match="computes in float32, float16 was asked for"):
        export("coreml", net, phone(precision="float16"), tmp_path / "net")


def test_other_colours_and_names_break_the_contract(written: Mapping[str, ExportResult]) -> None:
    spec = spec_of(written["float32"])
    colours = spec.description.input[0].type.imageType
    colours.colorSpace = colours.ColorSpace.Value("BGR")
    spec.description.output[0].name = "features"
    assert contract_problems(spec, 32, 24, DIM) == [
        "Its input is `image` BGR image 32 x 24, expected `image` RGB image 32 x 24.",
        "Its output is `features` FLOAT32 [1, 16], expected `embedding` FLOAT32 [1, 16].",
    ]
    del spec.description.input[:]
    assert "Its input is missing" in contract_problems(spec, 32, 24, DIM)[0]


def test_a_folder_that_is_no_package_has_no_precision(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="can't be read as a CoreML package"):
        read_precision(tmp_path)


def test_layers_that_differ_are_told(tmp_path: Path) -> None:
    from coremltools.converters.mil.mil import Builder

    def build(x: Any) -> Any:
        table = Builder.constexpr_lut_to_dense(
            indices=np.zeros(2, np.uint8), lut=numbers(2), shape=np.array([4, 3], np.uint32), name="table"
        )
        whole = Builder.linear(x=x, weight=numbers(3, 3), name="whole")
        half = Builder.cast(x=Builder.const(val=numbers(3, 3).astype(np.float16), name="half"), dtype="fp32")
        return Builder.linear(x=Builder.matmul(x=whole, y=half), weight=table)

    with quiet_conversion():
        load_coremltools().convert(
            program(build, (1, 3)),
            convert_to="mlprogram",
            minimum_deployment_target=load_coremltools().target.iOS16,
            compute_precision=load_coremltools().precision.FLOAT32,
            pass_pipeline=load_coremltools().PassPipeline.EMPTY,
            package_dir=str(tmp_path / "net.mlpackage"),
            skip_model_load=True,
        )
    assert read_precision(tmp_path / "net.mlpackage") == "mixed (float32: 2, palettised: 1)"
    assert precision_per_layer(tmp_path / "net.mlpackage")["table"] == "palettised"
