"""JSON, TOML and lists from strangers: sidecars, recipes, policies, profiles, manifests, evaluations."""

import json
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="runs what the sidecars describe")
pytest.importorskip("onnx", reason="writes what they describe")
pytest.importorskip("torch", reason="a recipe is the trainer's")

import profiles
from exporters.build_recipe import BuildRecipe
from hostile import documents, mutants, refused
from kits import left_by_an_export, unpack
from samples import PREPROCESSING
from sfsc_deploy.artifact import Sidecar, read_sidecar, sha256_of, sidecar_path, write_sidecar
from sfsc_deploy.building import read_recipe
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import pack
from sfsc_deploy.kit.runner.manifest import MANIFEST, open_kit
from sfsc_deploy.parsing import parse_json
from sfsc_deploy.run_folder import EVALUATION, RECIPE, RunFacts, RunFolder, parse, write_recipe
from sfsc_deploy.training.log import StepLog
from sfsc_deploy.training.plan import resolve_recipe
from sfsc_deploy.training.request import TrainRequest
from sfsc_deploy.verification import Status, report
from sfsc_deploy.verification.policy import read_policy
from sfsc_deploy.verification.verify import verify
from tiny_onnx import write_tiny_onnx
from tiny_supernet import tiny_recipe

DEEP = (
    *(f"a = {opening * count}" for opening in ("[", "{a = ") for count in (3_000, 50_000)),
    *("a" + ".a" * count + " = 1" for count in (5_000, 50_000)),
    "a = 1" + "0" * 5000,
)
BUILD = {
    "onnx": "a.onnx", "onnx_sha256": "0" * 64, "engine": "a.engine", "precision": "float16",
    "image": {"min": [1, 8, 8, 3], "opt": [1, 8, 8, 3], "max": [4, 8, 8, 3]}, "compute_capability": "8.7",
    "tensorrt": ">=10", "workspace_mb": 64, "command": "sfsc-deploy build a.build.json", "trtexec": "trtexec",
}  # fmt: skip


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return left_by_an_export(tmp_path)


def test_a_sidecar_is_read_or_refused(artifact: Path) -> None:
    good = json.loads(sidecar_path(artifact).read_bytes())
    for text in documents(good, 150):
        sidecar_path(artifact).write_text(text, encoding="utf-8")
        refused(lambda: content_of(artifact))
    for content in mutants(json.dumps(good).encode(), 50):
        sidecar_path(artifact).write_bytes(content)
        refused(lambda: read_sidecar(artifact))


def test_whatever_a_sidecar_says_the_verdict_can_be_told(artifact: Path) -> None:
    """Nothing in it makes the verification or a report of it break off, or gives JSON that nobody else can read."""
    other = write_tiny_onnx(artifact.with_name("other.onnx"))
    sidecar = read_sidecar(artifact)
    write_sidecar(other, sidecar.model_copy(update={"files": {other.name: sha256_of(other)}}))
    for text in documents(json.loads(sidecar_path(artifact).read_bytes()), 25, seed=1):
        sidecar_path(artifact).write_text(text, encoding="utf-8")
        verdict = verify([str(artifact), str(other)])
        assert verdict.status is not Status.PASS
        json.dumps(verdict.to_json(), allow_nan=False)
        for write in (report.page, report.junit, report.markdown):
            write(verdict).encode()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "a\\b", "C:x", "..", ".", "", "a\0b", "x" * 300])
def test_no_name_leaves_the_folder(artifact: Path, name: str) -> None:
    stated = json.loads(sidecar_path(artifact).read_bytes())
    for changed in ({"files": {name: "0" * 64}}, {"probe": {"file": name, "sha256": "0" * 64}}):
        assert refused(lambda stated=stated | changed: parse_json(Sidecar, json.dumps(stated), "it"))
    for changed in ({"onnx": name}, {"engine": name}):
        assert refused(lambda recipe=BUILD | changed: parse_json(BuildRecipe, json.dumps(recipe), "it"))


def test_a_build_recipe_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.build.json"
    for text in documents(BUILD, 100):
        file.write_text(text, encoding="utf-8")
        refused(lambda: read_recipe(file))


def test_the_manifest_of_a_kit_is_read_or_refused(artifact: Path, tmp_path: Path) -> None:
    kit = unpack(pack([content_of(artifact)], tmp_path / "a.kit.zip"), tmp_path / "kit")
    for name in (MANIFEST, sidecar_path(artifact).name):
        content = (kit / name).read_text(encoding="utf-8")
        for text in documents(json.loads(content), 60):
            (kit / name).write_text(text, encoding="utf-8")
            refused(lambda: open_kit(kit))
        (kit / name).write_text(content, encoding="utf-8")


@pytest.mark.parametrize("text", DEEP)
def test_deep_and_endless_toml_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / RECIPE
    file.write_text(text, encoding="utf-8")
    assert refused(lambda: read_policy(file))
    assert refused(lambda: RunFolder.open(tmp_path))
    assert refused(lambda: resolve_recipe(TrainRequest(recipe=file)))
    assert refused(lambda: profiles.load(str(file)))


def test_recipes_profiles_and_policies_are_read_or_refused(tmp_path: Path) -> None:
    facts = RunFacts(data="drawn", identities=6, preprocessing=PREPROCESSING, tools={})
    write_recipe(tmp_path, tiny_recipe(arch="resnet-mini"), facts)
    file = tmp_path / "server-cpu.toml"
    for content in mutants((tmp_path / RECIPE).read_bytes(), 40):
        (tmp_path / RECIPE).write_bytes(content)
        refused(lambda: RunFolder.open(tmp_path).widths)
        refused(lambda: resolve_recipe(TrainRequest(recipe=tmp_path / RECIPE)))
    for content in mutants(profiles.source("server-cpu").encode(), 40):
        file.write_bytes(content)
        refused(lambda: profiles.load(str(file)))
    for content in mutants(b"[float16]\nmin_cosine = 0.99\nmin_identities = 20\n", 60):
        file.write_bytes(content)
        refused(lambda: read_policy(file))


@pytest.mark.parametrize("content", ["[" * 50_000, "[1]", "null", '{"step": 1e999}\n', '{"step": [' * 50_000 + "\n"])
def test_what_a_run_measured_is_read_or_refused(tmp_path: Path, content: str) -> None:
    facts = RunFacts(data="a", identities=6, preprocessing=PREPROCESSING, tools={})
    write_recipe(tmp_path, tiny_recipe(arch="resnet-mini"), facts)
    (tmp_path / EVALUATION).write_text(content, encoding="utf-8")
    refused(lambda: RunFolder.open(tmp_path).evaluation)
    refused(StepLog(tmp_path / EVALUATION).read)


@pytest.mark.parametrize("subject", ["a\0b@0.5", "x" * 5000 + "@0.5", "@", "a@nan", "a@", "\ud800@1"])
def test_any_subject_is_parsed_or_refused(subject: str) -> None:
    refused(lambda: parse(subject))


def test_a_list_of_images_is_read_or_refused(tmp_path: Path) -> None:
    listed = "path,identity,split,camera\n" + "".join(f"{split}/{n}.png,{n % 2},{split},{n}\n" for n in range(4)
        for split in ("train", "query", "gallery"))  # fmt: skip
    file = tmp_path / "manifest.csv"
    hostile = [
        listed.replace("query/0.png", place) for place in ("../a.png", "/etc/passwd", "C:/a", "a\0b", "x" * 9000)
    ]
    for content in (*map(str.encode, hostile), *mutants(listed.encode(), 60)):
        file.write_bytes(content)
        assert refused(lambda: open_dataset(file))
