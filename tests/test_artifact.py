"""Sidecars, hashes and space ids."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import PREPROCESSING, sample_sidecar
from sfsc_deploy.artifact import (
    EMBEDDED_KEY,
    Build,
    check_files,
    read_embedded,
    read_sidecar,
    sidecar_path,
    space_id,
    write_sidecar,
)
from sfsc_deploy.errors import SfscError


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "server.onnx"
    path.write_bytes(b"weights")
    return path


def rewrite(artifact: Path, **changed: Any) -> None:
    """Put changed fields into the sidecar's JSON, valid or not."""
    fields = json.loads(sample_sidecar(artifact).model_dump_json()) | changed
    sidecar_path(artifact).write_text(json.dumps(fields), encoding="utf-8")


def test_a_sidecar_is_read_as_it_was_written(artifact: Path) -> None:
    written = sample_sidecar(artifact)
    assert write_sidecar(artifact, written) == artifact.with_name("server.onnx.json")
    assert read_sidecar(artifact) == written


def test_a_missing_sidecar_names_its_path(artifact: Path) -> None:
    with pytest.raises(SfscError, match=r"server\.onnx\.json is missing"):
        read_sidecar(artifact)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 1.5),
        ("schema_version", 2),
        ("space", "not a hash"),
        ("parameters", "many"),
        ("files", {}),
        ("probe", {"file": "../probe.safetensors", "sha256": "6" * 64}),
        ("build", {"status": "to be built on the device"}),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_named_with_the_file(artifact: Path, field: str, value: object) -> None:
    rewrite(artifact, **{field: value})
    with pytest.raises(SfscError, match=rf"server\.onnx\.json is not valid: field `{field}"):
        read_sidecar(artifact)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null"])
def test_what_is_no_sidecar_is_refused(artifact: Path, text: bytes) -> None:
    sidecar_path(artifact).write_bytes(text)
    with pytest.raises(SfscError, match=r"server\.onnx\.json is not valid"):
        read_sidecar(artifact)


def test_a_sidecar_that_is_a_folder_is_refused(artifact: Path) -> None:
    sidecar_path(artifact).mkdir()
    with pytest.raises(SfscError, match="cannot be read"):
        read_sidecar(artifact)


@given(st.sampled_from(["..", ".", "", "a/b", "/etc/passwd", "a\\b", "../a", "a\0"]))
def test_a_part_must_be_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="must be the name of a file"):
        sample_sidecar(Path(__file__), files={name: "0" * 64})


def test_two_statements_of_the_dimension_must_agree(artifact: Path) -> None:
    rewrite(artifact, dim=5)
    with pytest.raises(SfscError, match=r"`dim` is 5 but `output\.dim` is 4"):
        read_sidecar(artifact)


def test_intact_parts_give_no_problem(artifact: Path) -> None:
    assert check_files(artifact, sample_sidecar(artifact)) == []


def test_a_changed_part_is_found(artifact: Path) -> None:
    sidecar = sample_sidecar(artifact)
    artifact.write_bytes(b"weightz")
    (problem,) = check_files(artifact, sidecar)
    assert problem.startswith("server.onnx is not the file that was exported")
    assert f"expected {sidecar.files['server.onnx'][:12]}." in problem


def test_a_missing_part_is_found(artifact: Path) -> None:
    sidecar = sample_sidecar(artifact)
    both = sidecar.model_copy(update={"files": {**sidecar.files, "server.bin": "0" * 64}})
    assert check_files(artifact, both) == ["server.bin is missing."]


def test_a_sidecar_of_another_artifact_is_found(artifact: Path) -> None:
    other = artifact.with_name("other.onnx")
    other.write_bytes(b"other")
    assert check_files(other, sample_sidecar(artifact)) == ["other.onnx.json describes server.onnx, not other.onnx."]


def test_what_is_still_to_be_built_needs_only_its_sources(artifact: Path) -> None:
    sidecar = sample_sidecar(artifact, build=Build(status="to be built on the device", command="trtexec"))
    assert check_files(artifact.with_name("server.engine"), sidecar) == []


def test_the_description_survives_embedding(artifact: Path) -> None:
    sidecar = sample_sidecar(artifact)
    metadata = {EMBEDDED_KEY: sidecar.description().model_dump_json()}
    assert read_embedded(metadata, artifact) == sidecar.description()
    assert read_embedded({}, artifact) is None


def test_the_description_holds_nothing_that_only_the_written_file_can_tell(artifact: Path) -> None:
    unknown = {"files", "fidelity", "probe", "build", "size_bytes"}
    assert unknown.isdisjoint(sample_sidecar(artifact).description().model_dump())


def test_a_damaged_description_is_refused(artifact: Path) -> None:
    with pytest.raises(SfscError, match="metadata of server"):
        read_embedded({EMBEDDED_KEY: "{}"}, artifact.name)


TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(3)}
ID = space_id(TENSORS, 8, PREPROCESSING)


def test_the_space_does_not_depend_on_order_layout_or_byte_order() -> None:
    same = {"a": np.array(3), "b": np.asfortranarray(TENSORS["b"]).astype(">f4")}
    assert space_id(same, 8, PREPROCESSING) == ID


@pytest.mark.parametrize(
    "changed",
    [
        {"a": np.array(4)},
        {"a": np.array([3])},
        {"a": np.array(3, np.int32)},
        {"b": TENSORS["b"].reshape(3, 2)},
        {"c": np.array(3)},
    ],
)
def test_the_space_depends_on_every_tensor(changed: dict[str, Any]) -> None:
    assert space_id(TENSORS | changed, 8, PREPROCESSING) != ID


def test_the_space_depends_on_dimension_and_preprocessing() -> None:
    assert space_id(TENSORS, 9, PREPROCESSING) != ID
    assert space_id(TENSORS, 8, PREPROCESSING.model_copy(update={"resize": "box"})) != ID
    assert space_id({"renamed": TENSORS["b"], "a": TENSORS["a"]}, 8, PREPROCESSING) != ID


def test_the_space_id_is_the_same_for_ever() -> None:
    assert ID == "035c918d90aa719dc80de11210246b898f96d2cf068d7f04bf197fdbba3bcd2e"
