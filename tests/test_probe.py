"""What a probe must hold, its file, and the measure of preprocessing drift."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from samples import encoded, sample_probe, unit_rows
from sfsc_deploy.errors import SfscError
from sfsc_deploy.probe import Probe, preprocessing_drift
from sfsc_deploy.tensor_file import read_tensors


def test_a_probe_is_read_as_it_was_saved(tmp_path: Path) -> None:
    probe = sample_probe()
    probe.save(tmp_path / "probe.safetensors")
    read = Probe.load(tmp_path / "probe.safetensors")
    assert (read.space, read.origin, read.preprocessing) == (probe.space, probe.origin, probe.preprocessing)
    assert read.raw == probe.raw
    assert read.widths == (0.5, 1.0)
    for name in ("images", "identity", "camera", "is_query", "is_pattern"):
        np.testing.assert_array_equal(getattr(read, name), getattr(probe, name), strict=True)
    for width in probe.widths:
        np.testing.assert_array_equal(read.reference[width], probe.reference[width], strict=True)


def test_a_probe_without_cameras_stays_without(tmp_path: Path) -> None:
    sample_probe(camera=None).save(tmp_path / "probe.safetensors")
    assert Probe.load(tmp_path / "probe.safetensors").camera is None


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        sample_probe().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_retrieval_leaves_patterns_out() -> None:
    queries, gallery = sample_probe().retrieval()
    np.testing.assert_array_equal(queries, [0, 2])
    np.testing.assert_array_equal(gallery, [1, 3])


def test_labels_are_those_of_the_rows() -> None:
    probe = sample_probe()
    labels = probe.labels(np.array([1, 2]))
    np.testing.assert_array_equal(labels.identity, [0, 1])
    np.testing.assert_array_equal(labels.camera, [2, 1])


def test_references_are_filled_width_by_width() -> None:
    asked = []

    def embed(width: float, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        asked.append(width)
        return unit_rows(len(images), seed=int(100 * width))

    probe = sample_probe(reference={}).with_references((0.25, 0.5), embed)
    assert asked == [0.25, 0.5]
    np.testing.assert_array_equal(probe.reference[0.25], unit_rows(5, seed=25))


def test_a_probe_without_references_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="without references"):
        sample_probe(reference={}).save(tmp_path / "probe.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"images": np.zeros((5, 6, 4, 3), np.uint8)}, "images .* must be uint8"),
        ({"images": np.zeros((5, 6, 5, 3), np.float32)}, "images .* must be uint8"),
        ({"identity": np.array([0, 1])}, r"identity .* must be int64 \[5\]"),
        ({"camera": np.zeros(5, np.int32)}, "camera .* must be int64"),
        ({"is_query": np.ones(5, np.bool_)}, "cannot be a query"),
        ({"is_query": np.zeros(5, np.bool_)}, "at least one query"),
        ({"reference": {1.0: unit_rows(4)}}, r"reference of width 1 .* must be float32 \[5, 4\]"),
        ({"reference": {1.0: unit_rows(5)[:, 0]}}, "reference of width 1"),
        ({"reference": {1.0: 2 * unit_rows(5)}}, "norm is not 1"),
        ({"reference": {1.0: np.full((5, 4), np.nan, np.float32)}}, "norm is not 1"),
        (
            {"reference": {1.0: unit_rows(5), 0.5: unit_rows(5, dim=3)}},
            r"width 0.5 .* float32 \[5, 4\], not",
        ),
    ],
)
def test_a_probe_that_does_not_fit_together_is_refused(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SfscError, match=complaint):
        sample_probe(**changed)


Arrays = dict[str, NDArray[Any]]


def change(name: str, value: NDArray[Any]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | {name: value}


def drop(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: value for key, value in arrays.items() if key != name}


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (drop("image"), "no tensor `image`"),
        (drop("identity"), "no tensor `identity`"),
        (change("image", np.zeros((5, 6, 5, 3), np.int16)), "tensor `image` is int16"),
        (change("image", np.zeros((5, 6, 5, 4), np.uint8)), "tensor `image` is uint8"),
        (lambda arrays: change("raw_offset", arrays["raw_offset"][[0, 2, 1, 3, 4, 5]])(arrays), "must rise"),
        (change("raw_offset", np.array([0, 1, 2, 3, 4, 10**9])), "must rise"),
        (change("raw_offset", np.array([-5, 1, 2, 3, 4, 5])), "must rise"),
        (change("raw_offset", np.array([], np.int64)), "must rise"),
        (change("is_pattern", np.zeros(4, np.bool_)), "is_pattern"),
        (change("embedding@2.0", unit_rows(5)), "names no width"),
        (change("embedding@wide", unit_rows(5)), "names no width"),
        (change("embedding@nan", unit_rows(5)), "names no width"),
        (change("embedding@0.50", unit_rows(5)), "names no width"),
        (change("embedding@0.25", unit_rows(5).astype(np.float64)), "embedding@0.25"),
        (lambda arrays: drop("embedding@1.0")(drop("embedding@0.5")(arrays)), "no reference"),
    ],
)
def test_a_malformed_file_is_refused_by_name(
    tmp_path: Path, damage: Callable[[Arrays], Arrays], complaint: str
) -> None:
    path = tmp_path / "probe.safetensors"
    sample_probe().save(path)
    stored = read_tensors(path)
    save_file(damage(dict(stored.arrays)), path, dict(stored.metadata))
    with pytest.raises(SfscError, match=complaint) as caught:
        Probe.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("metadata", [None, {}, {"sfsc.recorded": "{}"}])
def test_a_safetensors_file_of_another_kind_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"weight": np.zeros(3)}, path, metadata)
    with pytest.raises(SfscError, match="no probe"):
        Probe.load(path)


def test_a_header_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    save_file({"image": np.zeros(3)}, path, {"sfsc.probe": '{"schema_version": 2}'})
    with pytest.raises(SfscError, match="field `schema_version`"):
        Probe.load(path)


@pytest.mark.parametrize("kept", [0, 7, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "probe.safetensors"
    sample_probe().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(SfscError, match="cannot be read as safetensors"):
        Probe.load(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="is not a file"):
        Probe.load(tmp_path / "probe.safetensors")


def test_the_header_is_one_metadata_entry(tmp_path: Path) -> None:
    """Several would be written in an order that changes from run to run, and with it the hash of the file."""
    sample_probe().save(tmp_path / "probe.safetensors")
    with safe_open(tmp_path / "probe.safetensors", framework="numpy") as opened:
        assert list(opened.metadata()) == ["sfsc.probe"]


def test_lossless_images_do_not_drift() -> None:
    drift = preprocessing_drift(sample_probe())
    assert (drift.max_levels, drift.mean_levels, drift.images) == (0, 0, 4)


def test_drift_is_measured_in_levels() -> None:
    probe = sample_probe()
    brighter = probe.images.copy()
    brighter[0, 0, 0, 0] = 250
    darker = brighter.copy()
    darker[0, 0, 0, 0] = 10
    drift = preprocessing_drift(sample_probe(images=brighter, raw=(encoded(darker[0]), *probe.raw[1:])))
    assert drift.max_levels == 240
    assert drift.mean_levels == pytest.approx(240 / (4 * probe.images[0].size))


def test_an_undecodable_raw_image_is_an_error() -> None:
    with pytest.raises(SfscError):
        preprocessing_drift(sample_probe(raw=(b"no image", *sample_probe().raw[1:])))
