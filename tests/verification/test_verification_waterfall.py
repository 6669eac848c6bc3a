"""Where a loss comes from: one fault a step, and only that step shows it."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper
from torch import nn
from typer.testing import CliRunner

from exporters import folding
from faults import operate, scaled_layer, seal
from fleet import IDENTITIES, export_all, portraits
from profiles import load as load_profile
from sfsc_deploy.artifact import EngineDevice, read_sidecar, write_sidecar
from sfsc_deploy.building import built_sidecar, read_recipe
from sfsc_deploy.cli.app import app
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.exporting.run import export
from sfsc_deploy.probe import Probe, drift
from sfsc_deploy.run_folder import RECIPE, WEIGHTS
from sfsc_deploy.runtime import Embedder, load
from sfsc_deploy.runtime.recorded import record_probe
from sfsc_deploy.tensor_file import read_tensors, write_tensors
from sfsc_deploy.verification import opening
from sfsc_deploy.verification.report import markdown, page
from sfsc_deploy.verification.verdict import Status, Verdict
from sfsc_deploy.verification.verify import verify
from sfsc_deploy.verification.waterfall import STEPS, Step
from sfsc_deploy.verification.waterfall.chain import Gap, Station, steps_between
from trainer.slimmable import SlimmableConv2d

SHOWN, UNSEEN = 1e-3, 1e-5  # of 1 - cosine; a sound float16 step has 1e-6
ORIN = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")
IN_TORCH = ["reference", "slicing", "folding"]


def followed(artifact: Path, run: Path | None, beside: Path | None = None) -> Verdict:
    other = beside or artifact.with_name("raspberry-pi.onnx")
    return verify([str(artifact), str(other)], run=run, waterfall=True)


def steps(verdict: Verdict, artifact: Path) -> dict[str, Step]:
    way = next(way for way in verdict.waterfalls if way.artifact == str(artifact))
    return {step.name: step for step in way.steps}


def distance(step: Step) -> float:
    assert step.change is not None
    return 1 - step.change.min_cosine


def assert_only(guilty: str, verdict: Verdict, artifact: Path) -> None:
    found = {name: distance(step) for name, step in steps(verdict, artifact).items() if step.change}
    assert found.pop(guilty) > SHOWN
    assert {name: value for name, value in found.items() if value > UNSEEN} == {}
    way = next(way for way in verdict.waterfalls if way.artifact == str(artifact))
    assert way.steepest is not None
    assert way.steepest.name == guilty


@pytest.mark.parametrize(("name", "missing"), [("server-cpu.onnx", "precision"), ("android.onnx", None)])
def test_a_sound_artifact_loses_nothing_anywhere(dist: Path, trained: Path, name: str, missing: str | None) -> None:
    found = steps(followed(dist / name, trained), dist / name)
    assert list(found) == list(STEPS)
    assert [step for step in found if found[step].change is None] == ([missing] if missing else [])
    assert all(distance(step) < UNSEEN for step in found.values() if step.change)
    assert all(step.change.map_change == pytest.approx(0, abs=0.01) for step in found.values() if step.change)


def test_a_stored_reference_that_the_supernet_does_not_give(dist: Path, trained: Path) -> None:
    path = dist / "probe.safetensors"
    probe = Probe.load(path)
    wrong = np.roll(probe.reference[1.0], 1, axis=0)
    replace(probe, reference={**probe.reference, 1.0: wrong}).save(path)
    for name in ("server-cpu.onnx", "raspberry-pi.onnx"):
        seal(dist / name)
    assert_only("reference", followed(dist / "server-cpu.onnx", trained), dist / "server-cpu.onnx")


def test_a_slice_that_is_not_the_switched_supernet(
    dist: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SlimmableConv2d.plain

    def careless(layer: SlimmableConv2d, width: float) -> nn.Module:
        sliced = plain(layer, width)
        assert isinstance(sliced, nn.Conv2d)
        if layer.kernel_size == (3, 3):
            sliced.weight.data[0] = 0
        return sliced

    monkeypatch.setattr(SlimmableConv2d, "plain", careless)
    artifact = export_all(trained, tmp_path / "careless", ["server-cpu"]) / "server-cpu.onnx"
    assert_only("slicing", followed(artifact, trained, dist / "raspberry-pi.onnx"), artifact)


def test_a_wrong_fold(dist: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fold = folding._fold_into

    def without_mean(layer: Any, norm: Any) -> None:
        norm.running_mean.zero_()
        fold(layer, norm)

    monkeypatch.setattr(folding, "_fold_into", without_mean)
    artifact = export_all(trained, tmp_path / "folded", ["server-cpu"]) / "server-cpu.onnx"
    assert_only("folding", followed(artifact, trained, dist / "raspberry-pi.onnx"), artifact)


def test_a_changed_weight_in_a_float32_file(dist: Path, trained: Path) -> None:
    artifact = operate(dist / "server-cpu.onnx", scaled_layer(1.5))
    assert_only("export", followed(artifact, trained), artifact)


def test_a_bad_scale_of_int8(dist: Path, trained: Path, tmp_path: Path) -> None:
    artifact = int8(trained, tmp_path)
    healthy = distance(steps(followed(artifact, trained, dist / "raspberry-pi.onnx"), artifact)["precision"])
    operate(artifact, bad_scale)
    verdict = followed(artifact, trained, dist / "raspberry-pi.onnx")
    found = steps(verdict, artifact)
    assert distance(found["precision"]) > 2 * healthy
    assert all(distance(step) < UNSEEN for name, step in found.items() if name not in ("precision", "backend"))
    assert distance(found["backend"]) < 0.1 * distance(found["precision"])  # optimised int8 rounds elsewhere


def int8(run: Path, folder: Path) -> Path:
    images = folder / "calibration"
    images.mkdir()
    for place, source in enumerate(portraits(range(IDENTITIES), range(4, 8)).sources):
        assert isinstance(source, bytes)
        (images / f"{place:03}.png").write_bytes(source)
    profile = load_profile("server-cpu").model_copy(update={"precision": "int8"})
    export(ExportTask(run, (profile,), folder / "int8", calibration=images))
    return folder / "int8" / "server-cpu.onnx"


def bad_scale(model: Any) -> None:
    """The step of one layer's activations 32 times too small: all but the smallest saturate."""
    names = {node.input[1] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    stored = [tensor for tensor in model.graph.initializer if tensor.name in names]
    scale = numpy_helper.to_array(stored[len(stored) // 2])
    stored[len(stored) // 2].CopyFrom(numpy_helper.from_array(scale / 32, stored[len(stored) // 2].name))


def test_a_device_that_computes_otherwise(dist: Path, trained: Path) -> None:
    recording = recorded(dist, monkey=lambda rows: np.roll(rows, 1, axis=0))
    assert_only("backend", followed(recording, trained), recording)


def test_a_recording_whose_artifact_is_gone_holds_two_steps_in_one(dist: Path, trained: Path) -> None:
    recording = recorded(dist, monkey=lambda rows: rows)
    (dist / "server-cpu.onnx").unlink()
    found = steps(followed(recording, trained), recording)
    assert found["export"].why.endswith("server-cpu.onnx is not at hand.")
    assert found["export to backend"].covers == ("export", "backend")


@pytest.fixture
def engine(dist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine as `build` leaves it; the device that runs it permutes some rows. ONNX Runtime stands in for it."""
    built = dist / "jetson-orin.engine"
    built.write_bytes(b"an engine")
    recipe = read_recipe(dist / "jetson-orin.build.json")
    write_sidecar(built, built_sidecar(read_sidecar(dist / "jetson-orin.onnx"), built, recipe, ORIN))
    monkeypatch.setattr(opening, "load", stand_in)
    return built


def stand_in(subject: str, **settings: Any) -> Embedder:
    path = Path(subject)
    if path.suffix != ".engine":
        return load(subject, **settings)
    embedder = load(path.with_suffix(".onnx"), **settings)
    embed = embedder.embed
    embedder.embed = lambda images: np.roll(embed(images), 1, axis=0)  # type: ignore[method-assign]
    embedder.name, embedder.sidecar, embedder.metadata = subject, read_sidecar(path), {}
    return embedder


def test_of_an_engine_the_file_that_it_was_built_from_tells_its_precision(engine: Path, trained: Path) -> None:
    verdict = followed(engine, trained)
    assert_only("backend", verdict, engine)
    assert steps(verdict, engine)["precision"].change is not None


def test_so_it_does_of_what_was_recorded_of_the_engine(engine: Path, trained: Path) -> None:
    with stand_in(str(engine)) as embedder:
        recording = engine.with_suffix(".safetensors")
        record_probe(embedder, Probe.load(engine.with_name("probe.safetensors")), recording, device="a jetson")
    engine.unlink()
    verdict = followed(recording, trained)
    assert_only("backend", verdict, recording)
    assert steps(verdict, recording)["precision"].change is not None


def of_an_older_build(engine: Path) -> None:
    sidecar = read_sidecar(engine)
    write_sidecar(engine, sidecar.model_copy(update={"build": sidecar.build.model_copy(update={"onnx_sha256": None})}))


def exported_anew(engine: Path) -> None:
    operate(engine.with_suffix(".onnx"), scaled_layer(1.5))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (of_an_older_build, "Its sidecar doesn't tell the jetson-orin.onnx that it was made from."),
        (exported_anew, "is another one than it was made from"),
    ],
)
def test_where_the_file_is_not_known_the_precision_is_not_told(
    engine: Path, trained: Path, change: Callable[[Path], None], why: str
) -> None:
    change(engine)
    found = steps(followed(engine, trained), engine)
    assert why in found["precision"].why
    assert found["precision"].change is None
    assert found["precision to backend"].change is not None


@pytest.mark.parametrize("name", ["", "dist/.."])
def test_a_recording_that_names_no_artifact_leaves_the_verdict(dist: Path, name: str) -> None:
    recording = recorded(dist, monkey=lambda rows: rows)
    stored = read_tensors(recording)
    ((key, text),) = stored.metadata.items()
    write_tensors(recording, stored.arrays, key, json.dumps(json.loads(text) | {"artifact": name}))
    found = steps(followed(recording, None), recording)
    assert "names no artifact" in found["export"].why


def recorded(dist: Path, monkey: Callable[[Any], Any]) -> Path:
    target = dist / "server-cpu.safetensors"
    with load(dist / "server-cpu.onnx") as embedder:
        embed = embedder.embed
        embedder.embed = lambda images: monkey(embed(images))  # type: ignore[method-assign]
        record_probe(embedder, Probe.load(dist / "probe.safetensors"), target, device="a phone")
    assert read_tensors(target).arrays
    return target


@pytest.mark.parametrize("run", [True, False], ids=["with its run", "alone"])
def test_a_wrong_filter_of_the_resize(dist: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, run: bool) -> None:
    read = drift.read_images

    def otherwise(sources: Any, preprocessing: Preprocessing) -> Any:
        return read(sources, preprocessing.model_copy(update={"resize": "box"}))

    monkeypatch.setattr(drift, "read_images", otherwise)
    artifact = dist / "server-cpu.onnx"
    assert_only("decode-resize", followed(artifact, trained if run else None), artifact)


def test_without_a_run_the_steps_are_told_as_one(dist: Path) -> None:
    artifact = operate(dist / "server-cpu.onnx", scaled_layer(1.5))
    verdict = followed(artifact, None)
    assert_only("reference to export", verdict, artifact)
    found = steps(verdict, artifact)
    assert found["reference to export"].covers == (*IN_TORCH, "export")
    assert {found[name].command for name in IN_TORCH} == {"sfsc-deploy verify-compat ... --waterfall --run RUN"}


def test_what_costs_nothing_is_always_told(dist: Path) -> None:
    verdict = verify([str(dist / "server-cpu.onnx"), str(dist / "android.onnx")])
    measured = [step.name for step in verdict.waterfalls[1].measured]
    assert measured == ["reference to backend", "decode-resize"]
    assert "reference to backend" in page(verdict)
    assert "Where a loss" in page(verdict)


def test_a_run_among_the_subjects_serves(dist: Path, trained: Path) -> None:
    verdict = verify([str(dist / "server-cpu.onnx"), str(trained)], waterfall=True)
    (way,) = verdict.waterfalls  # a run is no artifact
    assert [step.name for step in way.measured] == [step for step in STEPS if step != "precision"]


def test_a_run_of_another_space_is_refused(dist: Path, hasty: Path) -> None:
    with pytest.raises(SfscError, match="none of the artifacts does"):
        followed(dist / "android.onnx", hasty)


def test_a_run_that_does_not_exist_is_refused(dist: Path, tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="nowhere does not exist"):
        followed(dist / "android.onnx", tmp_path / "nowhere")


def damage_recipe(run: Path) -> None:
    (run / RECIPE).write_text("widths = [")


def unknown_architecture(run: Path) -> None:
    recipe = (run / RECIPE).read_text()
    (run / RECIPE).write_text(recipe.replace('arch = "resnet-mini"', 'arch = "vit-tiny"'))


def unfinished(run: Path) -> None:
    lines = (run / RECIPE).read_text().splitlines(keepends=True)
    (run / RECIPE).write_text("".join(line for line in lines if not line.startswith("space = ")))


def lose_recipe(run: Path) -> None:
    (run / RECIPE).unlink()


def damage_weights(run: Path) -> None:
    (run / WEIGHTS).write_bytes(b"not weights")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (damage_recipe, "recipe.toml can't be read"),
        (unknown_architecture, "'vit-tiny' is not one of"),
        (unfinished, "hasn't finished"),
        (lose_recipe, "it has no recipe.toml"),
        (damage_weights, "can't be read as the run's supernet"),
    ],
)
def test_a_damaged_run_leaves_the_verdict(
    dist: Path, trained: Path, tmp_path: Path, damage: Callable[[Path], None], why: str
) -> None:
    """What the checks found of the artifact is told, and in each step why it was not measured."""
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    damage(run)
    artifact = operate(dist / "server-cpu.onnx", scaled_layer(1.5))
    verdict = followed(artifact, run)
    assert "fidelity" in {check.name for check in verdict.checks if check.status is Status.FAIL}
    found = steps(verdict, artifact)
    assert all(why in found[name].why for name in IN_TORCH)
    assert found["reference to export"].change is not None


def test_rows_of_enormous_norms_leave_the_verdict(dist: Path, trained: Path) -> None:
    """Beyond 2^63 nothing can be ranked: the steps say so, and `norm` has failed."""
    recording = recorded(dist, monkey=lambda rows: rows * np.float32(1e30))
    for artifact in (operate(dist / "server-cpu.onnx", enlarged), recording):
        verdict = followed(artifact, trained)
        assert {"norm", "fidelity"} <= {check.name for check in verdict.checks if check.status is Status.FAIL}
        step = steps(verdict, artifact)["decode-resize"]
        assert step.change is None
        assert "can't be ranked" in step.why
        assert json.dumps(verdict.to_json(), allow_nan=False)
        assert page(verdict)
        assert markdown(verdict)


def enlarged(model: Any) -> None:
    """The embedding of norm 1 multiplied by 1e30."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(1e30, np.float32), "enormous"))
    last = next(node for node in model.graph.node if "embedding" in node.output)
    last.output[0] = "of_norm_1"
    model.graph.node.append(helper.make_node("Mul", ["of_norm_1", "enormous"], ["embedding"]))


def test_the_total_is_the_sum_and_the_reports_tell_it(dist: Path, trained: Path) -> None:
    artifact = operate(dist / "server-cpu.onnx", scaled_layer(3))
    verdict = followed(artifact, trained)
    way = next(way for way in verdict.waterfalls if way.artifact == str(artifact))
    changes = [step.change.map_change or 0 for step in way.measured if step.change]
    assert way.measured[-1].total is not None
    assert sum(changes) == pytest.approx(way.measured[-1].total.map_change)
    document = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert [step["name"] for step in document["waterfall"][0]["steps"]] == list(STEPS)
    assert "the loss comes from export" in page(verdict)
    assert f"From the reference to `{artifact.name}`, step by step" in markdown(verdict)


def test_the_command_prints_it(dist: Path, trained: Path) -> None:
    subjects = [str(dist / "server-cpu.onnx"), str(dist / "raspberry-pi.onnx")]
    shown = CliRunner().invoke(app, ["verify-compat", *subjects, "--run", str(trained)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "server-cpu.onnx: from the reference to the device" in shown.output
    plain = CliRunner().invoke(app, ["verify-compat", *subjects])
    assert "from the reference to the device" not in plain.output


def stations(*found: tuple[str, Any]) -> Iterator[Station]:
    return (Station(name, rows) for name, rows in found)


def test_what_is_not_finite_is_a_gap_and_merges_into_the_next_step(trained: Path) -> None:
    probe = Probe.load(trained / "probe.safetensors")
    rows = probe.reference[1.0]
    broken = rows.copy()
    broken[3, 2] = np.nan
    found = list(steps_between(probe, rows, stations(("slicing", broken), ("folding", rows))))
    assert found[0].why.startswith("1 of 48 rows hold NaN")
    assert found[1].name == "slicing to folding"
    assert distance(found[1]) == pytest.approx(0, abs=1e-9)


def test_what_lies_beside_the_way_merges_into_nothing(trained: Path) -> None:
    probe = Probe.load(trained / "probe.safetensors")
    rows = probe.reference[1.0]
    beside = Gap("It is float32.", beside=True)
    found = list(steps_between(probe, rows, stations(("precision", beside), ("backend", rows))))
    assert [step.name for step in found] == ["precision", "backend"]
