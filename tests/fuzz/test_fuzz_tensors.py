"""Safetensors files from strangers: probes, recorded embeddings, stored galleries, weights, what a kit reads."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnxruntime", reason="embeds what is recorded")
pytest.importorskip("onnx", reason="writes what embeds")
pytest.importorskip("torch", reason="weights are read with it")

from hostile import documents, in_a_child, mutants, refused
from samples import sample_probe, unit_rows
from sfsc_deploy.kit.runner.probe import read_probe
from sfsc_deploy.kit.runner.tensors import read as read_in_a_kit
from sfsc_deploy.probe import Probe, preprocessing_drift
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.recorded import record
from sfsc_deploy.tensor_file import read_tensors, write_tensors
from sfsc_deploy.verification.stored_gallery import read_gallery
from sfsc_deploy.verification.subject import find_subjects
from tiny_onnx import some_images, write_tiny_onnx
from trainer import weight_file


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    sample_probe().save(tmp_path / "probe.safetensors")
    return tmp_path / "probe.safetensors"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    target = tmp_path / "recorded.safetensors"
    with load(write_tiny_onnx(tmp_path / "a.onnx")) as embedder:
        record(embedder, some_images(3), target, device="here")
    return target


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    rows = {"embedding": unit_rows(2)}
    write_tensors(tmp_path / "gallery.safetensors", rows, "path", '["a", "b"]')
    return tmp_path / "gallery.safetensors"


def damaged(file: Path, count: int) -> Iterator[Path]:
    """The file, again and again: with its header changed as JSON or as bytes, or its numbers changed."""
    content = file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header, data = content[8:end], content[end:]
    texts = (text.encode() for text in documents(json.loads(header), count))
    for text in (*texts, *mutants(header, count), header):
        file.write_bytes(struct.pack("<Q", len(text)) + text + data)
        yield file
    for changed in mutants(data, count):
        file.write_bytes(content[:end] + changed[: len(data)].ljust(len(data), b"\0"))
        yield file
    for changed in mutants(content, count):
        file.write_bytes(changed)
        yield file


def test_a_probe_is_read_or_refused(probe: Path) -> None:
    for file in damaged(probe, 40):
        refused(lambda file=file: preprocessing_drift(Probe.load(file)))
        refused(lambda file=file: read_probe(file))


def test_the_header_of_a_probe_is_read_or_refused(probe: Path) -> None:
    stored = read_tensors(probe)
    key, text = next(iter(stored.metadata.items()))
    for changed in documents(json.loads(text), 60):
        write_tensors(probe, stored.arrays, key, changed)
        refused(lambda: Probe.load(probe))
        refused(lambda: read_probe(probe))


def test_recorded_embeddings_are_read_or_refused(recorded: Path, tmp_path: Path) -> None:
    names = [str(recorded), str(tmp_path / "a.onnx")]
    stored = read_tensors(recorded)
    key, text = next(iter(stored.metadata.items()))
    for file in damaged(recorded, 30):
        refused(lambda: find_subjects(names))
        refused(lambda file=file: load(file).embed(some_images(3)))
        refused(lambda file=file: read_gallery(file))
    for changed in documents(json.loads(text), 60):
        write_tensors(recorded, stored.arrays, key, changed)
        refused(lambda: find_subjects(names))
        refused(lambda: read_gallery(recorded))


def test_a_stored_gallery_is_read_or_refused(gallery: Path) -> None:
    for file in damaged(gallery, 40):
        refused(lambda file=file: read_gallery(file))
        refused(lambda file=file: weight_file.read(str(file)))
        refused(lambda file=file: read_in_a_kit(file))


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(["F32", "F16", "BF16", "F64", "U8", "BOOL", "I64", "F8_E4M3", "F4", "C64", "nonsense", ""]),
    shape=st.lists(st.integers(-1, 4) | st.integers(2**30, 2**70), max_size=6),
    start=st.integers(0, 40) | st.just(2**63),
    length=st.integers(-8, 64) | st.just(2**62),
)
def test_shapes_that_do_not_match_their_bytes(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, shape: list[int], start: int, length: int
) -> None:
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [start, start + length]}
    header = json.dumps({"embedding": entry, "__metadata__": {"path": '["a"]'}}).encode()
    file = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(32))
    for read in (read_gallery, read_in_a_kit, lambda path: weight_file.read(str(path))):
        refused(lambda read=read: read(file))


def test_headers_that_claim_gigabytes_are_refused_within_the_memory_that_a_small_file_takes(tmp_path: Path) -> None:
    (tmp_path / "harmless.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    for number, length in enumerate((2**60, 2**64 - 1, 2**31, 99 << 20)):
        (tmp_path / f"{number}.safetensors").write_bytes(struct.pack("<Q", length) + b"{}" * 50)
    many = {f"a{number}": {"dtype": "F32", "shape": [2**31], "data_offsets": [0, 2**33]} for number in range(50)}
    header = json.dumps(many).encode()
    (tmp_path / "many.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    hostile = [file for file in tmp_path.iterdir() if file.stem != "harmless"]
    prepare = (
        "import sys\nfrom pathlib import Path\nfrom sfsc_deploy.tensor_file import read_tensors\n"
        "from sfsc_deploy.kit.runner.tensors import read\n"
        f"read_tensors(Path({str(tmp_path / 'harmless.safetensors')!r}))"
    )
    for reading in ("read_tensors(Path(file))", "read(Path(file))"):
        said, mebibytes = in_a_child(prepare, reading, *hostile)
        assert [line.partition(" ")[0] for line in said] == ["SfscError"] * len(hostile)
        assert mebibytes < 64


def test_embeddings_beyond_all_bounds_are_told_without_a_warning(tmp_path: Path) -> None:
    huge = np.full((5, 4), 3e38, np.float32)
    assert refused(lambda: sample_probe(reference={1.0: huge}))
