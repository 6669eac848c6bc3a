"""What runs on a device: with nothing but numpy and a runtime, and only what was packed."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="writes the artifacts")
pytest.importorskip("onnxruntime", reason="runs them")

import sfsc_deploy
from kits import OF_A_WORKSTATION, ON_A_DEVICE, left_by_an_export, run_kit, unpack
from samples import sample_probe, sample_sidecar
from sfsc_deploy.artifact import read_sidecar, write_sidecar
from sfsc_deploy.files import sha256_of
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import EMPTY, MODULES, pack
from sfsc_deploy.probe import Probe, preprocessing_drift
from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder
from sfsc_deploy.runtime.recorded import RecordedEmbedder

PACKAGE = Path(sfsc_deploy.__file__).parent


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    return left_by_an_export(tmp_path / "dist")


@pytest.fixture
def kit(artifact: Path, tmp_path: Path) -> Path:
    return unpack(pack([content_of(artifact)], tmp_path / "a.zip"), tmp_path / "device")


def test_it_records_what_embed_records(artifact: Path, kit: Path) -> None:
    answer = run_kit(kit, "--device-name", "a Pi")
    assert answer.returncode == 0, answer.stderr
    assert "tiny.onnx: 5 images on a Pi (onnxruntime" in answer.stdout
    assert "sfsc-deploy verify-compat ... tiny.safetensors" in answer.stdout
    probe = sample_probe()
    with RecordedEmbedder(kit / "recorded" / "tiny.safetensors") as recorded, OnnxEmbedder(artifact) as original:
        np.testing.assert_allclose(recorded.embed(probe.images), original.embed(probe.images), rtol=0, atol=1e-6)
        found = recorded.recording
        assert recorded.labels is not None
        np.testing.assert_array_equal(recorded.labels.identity, probe.identity)
        assert (found.device, found.sidecar, found.files) == (
            "a Pi",
            original.sidecar,
            {artifact.name: sha256_of(artifact)},
        )
        assert found.probe == sha256_of(artifact.with_name("probe.safetensors"))
        assert found.drift == preprocessing_drift(probe)
        assert {(trial.size, trial.reverse) for trial in found.batch_trials} == {(1, False), (2, False), (5, True)}
        assert {"sfsc-deploy kit", "python", "numpy", "onnxruntime", "pillow"} <= found.tools.keys()


def test_without_pillow_it_says_what_stays_open(kit: Path) -> None:
    answer = run_kit(kit, absent=OF_A_WORKSTATION | {"PIL"})
    assert answer.returncode == 0, answer.stderr
    assert "Without Pillow" in answer.stdout
    with RecordedEmbedder(kit / "recorded" / "tiny.safetensors") as recorded:
        assert recorded.recording.drift is None


def test_without_its_runtime_it_says_what_to_install(kit: Path) -> None:
    answer = run_kit(kit, absent=OF_A_WORKSTATION | {"onnxruntime"})
    told = "tiny.onnx was not recorded: ONNX Runtime is needed: python3 -m pip install onnxruntime\n"
    assert (answer.returncode, answer.stderr) == (2, told)


def test_a_runtime_that_is_broken_is_not_called_missing(kit: Path) -> None:
    (kit / "onnxruntime.py").write_text("raise ImportError('Advice.\\nlibgomp.so.1 is missing')\n")
    answer = run_program(kit, f"import sys; sys.path.insert(0, {str(kit)!r}); sys.argv = ['run.pyz']; {RUN}")
    assert answer.returncode == 2
    assert "ONNX Runtime is installed but can't be imported: libgomp.so.1 is missing. Install it again" in answer.stderr


def test_without_numpy_it_says_what_to_install(kit: Path) -> None:
    answer = run_kit(kit, absent=OF_A_WORKSTATION | {"numpy", "onnxruntime"})
    assert answer.returncode == 2
    assert answer.stderr.startswith("Error: numpy is needed: python3 -m pip install numpy")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 7)])
def test_a_python_that_is_too_old_is_refused(kit: Path, version: tuple[int, int]) -> None:
    answer = run_program(kit, f"import sys; sys.version_info = {(*version, 0)}; {RUN}")
    here = ".".join(map(str, version))
    told = f"Error: Python 3.8 or newer is needed, this is {here}: run the kit with a newer python3.\n"
    assert (answer.returncode, answer.stderr) == (2, told)


RUN = "import runpy; runpy.run_path('run.pyz', run_name='__main__')"


def run_program(folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_recordings_are_not_replaced_unasked(kit: Path) -> None:
    assert run_kit(kit).returncode == 0
    again = run_kit(kit)
    assert (again.returncode, "would be overwritten" in again.stderr) == (2, True)
    assert run_kit(kit, "--overwrite", "tiny.onnx").returncode == 0
    assert run_kit(kit, "other.onnx").returncode == 2


def in_format_of_onnx_runtime(artifact: Path) -> Path:
    """The artifact once more, as an .ort file of the same stem."""
    import onnxruntime

    target, options = artifact.with_suffix(".ort"), onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
    write_sidecar(target, sample_sidecar(target, format="ort", probe=read_sidecar(artifact).probe))
    return target


def test_two_artifacts_of_one_stem_are_both_recorded(artifact: Path, tmp_path: Path) -> None:
    contents = [content_of(artifact), content_of(in_format_of_onnx_runtime(artifact))]
    kit = unpack(pack(contents, tmp_path / "a.zip"), tmp_path / "both")
    answer = run_kit(kit)
    assert answer.returncode == 0, answer.stderr
    for name in ("tiny.onnx", "tiny.ort"):
        with RecordedEmbedder(kit / "recorded" / f"{name}.safetensors") as recorded:
            assert recorded.recording.artifact == name


def grown(kit: Path) -> None:
    with (kit / "tiny.onnx").open("ab") as file:
        file.write(b"\0")


def another_probe(kit: Path) -> None:
    Probe.save(sample_probe(origin="elsewhere"), kit / "probe.safetensors")


def rewritten(**changed: object) -> Callable[[Path], None]:
    def rewrite(kit: Path) -> None:
        path = kit / "kit.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return rewrite


def leads_out(kit: Path) -> None:
    (kit.parent / "outside").write_bytes(b"secret")
    digest = sha256_of(kit.parent / "outside")
    rewritten(files={"../outside": digest})(kit)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        pytest.param(grown, "Not what was packed: tiny.onnx. Nothing was run.", id="artifact"),
        pytest.param(another_probe, "Not what was packed: probe.safetensors", id="probe"),
        pytest.param(
            lambda kit: (kit / "tiny.onnx.json").unlink(),
            "tiny.onnx.json can't be read: No such file or directory. Unpack",
            id="no sidecar",
        ),
        pytest.param(lambda kit: (kit / "kit.json").unlink(), "kit.json can't be read", id="no manifest"),
        pytest.param(lambda kit: (kit / "kit.json").write_text("["), "not the manifest of a kit", id="no JSON"),
        pytest.param(rewritten(files={}), "it has no hash of", id="no hashes"),
        pytest.param(rewritten(artifacts=[{}]), "not the manifest of a kit", id="no artifact"),
        pytest.param(rewritten(files={"/etc/hostname": "0" * 64}), "is no path inside of it", id="absolute path"),
        pytest.param(leads_out, "is no path inside of it", id="path that leads out"),
    ],
)
def test_what_is_not_whole_is_not_run(kit: Path, harm: Callable[[Path], object], told: str) -> None:
    harm(kit)
    answer = run_kit(kit)
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (kit / "recorded").exists()


def imported(source: str) -> set[str]:
    """Modules that are imported when the code runs, rather than for its types alone."""
    found: set[str] = set()
    for node in ast.walk(_without_types(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    return found


def _without_types(tree: ast.Module) -> ast.Module:
    tree.body = [node for node in tree.body if not _is_for_types(node)]
    return tree


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_what_it_imports_is_packed_or_on_the_device() -> None:
    packed = {f"sfsc_deploy/{name}" for name in (*MODULES, *EMPTY)}
    for name in MODULES:
        for module in imported((PACKAGE / name).read_text(encoding="utf-8")):
            top = module.partition(".")[0]
            if top == "sfsc_deploy":
                path = module.replace(".", "/")
                assert packed & {f"{path}.py", f"{path}/__init__.py"}, f"{name} imports {module}"
            else:
                known = sys.stdlib_module_names | ON_A_DEVICE | {"coremltools"}
                assert top in known, f"{name} imports {module}"


ENGINES_ALONE = ("runtime/engine/", "extras.py", "kit/runner/building.py", "kit/runner/engine_file.py")
NEWER = (
    "removeprefix",
    "removesuffix",
    "functools import cache",
    "pairwise",
    "strict=",
    "slots=",
    "kw_only=",
    "match ",
)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith(ENGINES_ALONE)])
def test_it_is_written_in_python_3_8(name: str) -> None:
    """All but what runs engines: the TensorRT that they take comes with Python 3.10."""
    source = (PACKAGE / name).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    assert not [word for word in NEWER if word in source]
    generic = any(f"{kind}[" in source for kind in ("list", "dict", "tuple", "Mapping", "Sequence", "Iterator"))
    assert "from __future__ import annotations" in source or not generic
