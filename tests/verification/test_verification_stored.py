"""A gallery that is stored already: what passes, what fails, and what is said to be unknown."""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from typer.testing import CliRunner

import faults
from fleet import IDENTITIES, portraits
from sfsc_deploy.artifact import read_sidecar
from sfsc_deploy.cli.app import app
from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import read_images
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import load
from sfsc_deploy.tensor_file import read_tensors
from sfsc_deploy.verification import Check, Status, Verdict
from sfsc_deploy.verification.summary import remarks
from sfsc_deploy.verification.verify import verify

PROFILE = "android"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two queries and four gallery images of ten identities, in folders. Not to be changed."""
    folder = tmp_path_factory.mktemp("images")
    for part, numbers in (("query", range(20, 22)), ("gallery", range(22, 26))):
        split = portraits(range(IDENTITIES), numbers)
        for place, (source, identity) in enumerate(zip(split.sources, split.identity, strict=True)):
            path = folder / part / identity / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert isinstance(source, bytes)
            path.write_bytes(source)
    return folder


@pytest.fixture(scope="module")
def data(images: Path) -> DataSet:
    return open_dataset(images, with_train=False)


@pytest.fixture(scope="module")
def recorded(exported: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server's artifact embeds of all images. Not to be changed."""
    out = tmp_path_factory.mktemp("recorded") / "gallery.safetensors"
    answer = CliRunner().invoke(
        app, ["embed", str(exported / "server-cpu.onnx"), "--data", str(images), "--out", str(out)]
    )
    assert answer.exit_code == 0, answer.output
    return out


@pytest.fixture(scope="module")
def rows(exported: Path, data: DataSet) -> NDArray[np.float32]:
    """What the server's artifact makes of the gallery, float32 [40, D]."""
    with load(exported / "server-cpu.onnx") as server:
        assert server.preprocessing is not None
        return server.embed(read_images(data.gallery.sources, server.preprocessing))


def paths(data: DataSet) -> list[str]:
    assert data.root is not None
    return [Path(str(source)).relative_to(data.root).as_posix() for source in data.gallery.sources]


def store(path: Path, rows: NDArray[Any], names: Iterable[str], space: str | None = None) -> Path:
    metadata: Mapping[str, str] = {"path": json.dumps(list(names))} | ({"space": space} if space else {})
    save_file({"embedding": np.ascontiguousarray(rows)}, path, metadata=dict(metadata))
    return path


@pytest.fixture
def judged(exported: Path, data: DataSet, rows: NDArray[np.float32], tmp_path: Path) -> Callable[..., Verdict]:
    """The verdict on the phone's artifact and a stored gallery, which is right unless something is changed."""
    artifact = exported / f"{PROFILE}.onnx"

    def judge(changed: NDArray[Any] | None = None, names: list[str] | None = None, **facts: Any) -> Verdict:
        gallery = rows if changed is None else changed
        stored = store(
            tmp_path / "gallery.safetensors",
            gallery,
            paths(data) if names is None else names,
            facts.get("space", read_sidecar(artifact).space),
        )
        return verify([str(artifact)], data=data, gallery=stored)

    return judge


def of_gallery(verdict: Verdict) -> dict[str, Check]:
    return {
        check.name: check for check in verdict.checks if "gallery.safetensors" in f"{check.subject} {check.gallery}"
    }


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if check.status is Status.FAIL}


def test_a_recording_passes_without_the_model_that_made_it(exported: Path, data: DataSet, recorded: Path) -> None:
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=recorded)
    assert verdict.status is Status.PASS, [check for check in verdict.checks if check.status is not Status.PASS]
    assert "has the hashes of its sidecar" in of_gallery(verdict)["intact"].why
    assert not any("intact was not checked" in remark for remark in remarks(verdict))
    stored = verdict.artifacts[-1]
    assert (stored.kind, stored.width, stored.precision) == ("gallery", 1.0, "float32")
    cells = {(Path(cell.query).suffix, Path(cell.gallery).suffix) for cell in verdict.matrix}
    assert cells == {(".onnx", ".onnx"), (".onnx", ".safetensors"), (".safetensors", ".safetensors")}
    assert "the weaker self-test" in of_gallery(verdict)["criterion"].why


def test_a_gallery_of_another_system_passes_and_says_what_is_not_known(judged: Callable[..., Verdict]) -> None:
    verdict = judged()
    assert verdict.status is Status.PASS, [check for check in verdict.checks if check.status is not Status.PASS]
    assert "intact" not in of_gallery(verdict)
    assert "No hash goes with them" in of_gallery(verdict)["readable"].why
    assert any("intact was not checked" in remark for remark in remarks(verdict))
    assert "self-test of the gallery's maker isn't known, nor needed" in of_gallery(verdict)["criterion"].why


def test_one_stored_as_float16_passes(judged: Callable[..., Verdict], rows: NDArray[np.float32]) -> None:
    verdict = judged(rows.astype(np.float16))
    assert verdict.status is Status.PASS
    assert verdict.artifacts[-1].precision == "float16"


def test_rows_in_another_order_are_found_by_their_paths(
    judged: Callable[..., Verdict], rows: NDArray[np.float32], data: DataSet
) -> None:
    assert judged(rows[::-1], paths(data)[::-1]).status is Status.PASS


def test_more_rows_than_images_are_told(
    judged: Callable[..., Verdict], rows: NDArray[np.float32], data: DataSet
) -> None:
    verdict = judged(np.concatenate([rows, rows[:3]]), [*paths(data), "elsewhere/1", "elsewhere/2", "elsewhere/3"])
    assert verdict.status is Status.PASS
    assert "3 more rows" in of_gallery(verdict)["rows"].why


def test_without_a_space_it_is_measured_but_not_passed(judged: Callable[..., Verdict]) -> None:
    verdict = judged(space=None)
    assert verdict.status is Status.UNVERIFIED
    assert {name for name, check in of_gallery(verdict).items() if check.status is not Status.PASS} == {"space"}


def swapped(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of every other identity exchanged with those of the next."""
    return rows.reshape(IDENTITIES // 2, 2, -1, rows.shape[1])[:, ::-1].reshape(rows.shape)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def some_swapped(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    changed = rows.copy()
    changed[[0, 20]] = rows[[20, 0]]
    changed[[5, 30]] = rows[[30, 5]]
    return changed


def turned(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Another space with the same distances."""
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((rows.shape[1],) * 2))
    return (rows @ turn).astype(np.float32)


def with_nan(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    changed = rows.copy()
    changed[7, 2] = np.nan
    return changed


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        pytest.param(swapped, {"own-row"}, id="rows of other images"),
        pytest.param(turned, {"own-row"}, id="another space that claims to be this one"),
        pytest.param(lambda rows: -rows, {"own-row"}, id="negated"),
        pytest.param(with_nan, {"finite"}, id="NaN"),
        pytest.param(lambda rows: 2 * rows, {"norm"}, id="scaled"),
        pytest.param(lambda rows: np.repeat(rows[:1], len(rows), axis=0), {"collapse"}, id="collapsed"),
        pytest.param(lambda rows: np.ascontiguousarray(rows[:, :8]), {"norm"}, id="cut off at D = 8"),
        pytest.param(lambda rows: unit(rows[:, :8]), {"own-row", "criterion"}, id="of another dimension"),
        pytest.param(lambda rows: rows.astype(np.float64), {"readable"}, id="stored as float64"),
        pytest.param(lambda rows: (127 * rows).astype(np.int8), {"readable"}, id="stored as int8"),
    ],
)
def test_wrong_rows_fail(
    judged: Callable[..., Verdict],
    rows: NDArray[np.float32],
    change: Callable[[NDArray[np.float32]], NDArray[Any]],
    checks: set[str],
) -> None:
    verdict = judged(change(rows))
    assert verdict.status is Status.FAIL
    assert failed(verdict) == checks


def test_a_few_rows_of_other_images_fail_and_are_named(
    judged: Callable[..., Verdict], rows: NDArray[np.float32], data: DataSet
) -> None:
    """Also those that happen to be as near as the right ones would be."""
    verdict = judged(some_swapped(rows))
    assert failed(verdict) == {"own-row"}
    check, names = of_gallery(verdict)["own-row"], paths(data)
    assert check.value == 4
    assert f"that of {names[0]} fits {names[20]}" in check.why
    assert of_gallery(verdict)["criterion"].status is Status.UNVERIFIED


def changed_recording(recorded: Path, target: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """A copy of a recording, with `change` made to its arrays and to its header."""
    stored = read_tensors(recorded)
    arrays, header = dict(stored.arrays), json.loads(stored.metadata["sfsc.recorded"])
    change(arrays, header)
    save_file(arrays, target, {"sfsc.recorded": json.dumps(header)})
    return target


def test_wrong_rows_of_queries_fail_because_the_makers_self_test_rests_on_them(
    exported: Path, data: DataSet, recorded: Path, tmp_path: Path
) -> None:
    """A maker that finds nothing would be the weaker side, which any artifact reaches."""

    def shuffle(arrays: dict[str, Any], header: dict[str, Any]) -> None:
        rows = arrays["embedding"].copy()
        rows[:20] = np.roll(rows[:20], 2, axis=0)  # the queries come first
        arrays["embedding"] = rows

    stored = changed_recording(recorded, tmp_path / "gallery.safetensors", shuffle)
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=stored)
    assert failed(verdict) == {"own-row"}
    assert "query/" in of_gallery(verdict)["own-row"].why


def test_an_image_that_was_recorded_twice_with_different_rows_fails(
    exported: Path, data: DataSet, recorded: Path, tmp_path: Path
) -> None:
    def repeat(arrays: dict[str, Any], header: dict[str, Any]) -> None:
        for name, array in arrays.items():
            arrays[name] = np.concatenate([array[-1:], array])
        arrays["embedding"][0] = arrays["embedding"][1]

    stored = changed_recording(recorded, tmp_path / "gallery.safetensors", repeat)
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=stored)
    assert failed(verdict) == {"rows"}
    assert "holds an image more than once" in of_gallery(verdict)["rows"].why


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        pytest.param(
            lambda header: header["files"].update({"server-cpu.onnx": "5" * 64}),
            Status.FAIL,
            "server-cpu.onnx differ",
            id="made by another file",
        ),
        pytest.param(
            lambda header: header["sidecar"].update(space="5" * 64),
            Status.FAIL,
            "Its space or preprocessing is not that",
            id="two spaces",
        ),
        pytest.param(
            lambda header: header.update(sidecar=None), Status.UNVERIFIED, "nothing to compare it with", id="no sidecar"
        ),
        pytest.param(
            lambda header: header.update(artifact="server-cpu.engine"),
            Status.UNVERIFIED,
            "hash was not recorded",
            id="built by hand",
        ),
    ],
)
def test_what_made_a_recording_is_checked_and_measured_all_the_same(
    exported: Path,
    data: DataSet,
    recorded: Path,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    status: Status,
    told: str,
) -> None:
    stored = changed_recording(recorded, tmp_path / "gallery.safetensors", lambda _, header: change(header) and None)
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=stored)
    checks = of_gallery(verdict)
    assert verdict.status is status
    assert (checks["intact"].status, told in checks["intact"].why) == (status, True), checks["intact"].why
    assert checks["own-row"].status is Status.PASS


def embedded(artifact: Path, images: Path, out: Path) -> Path:
    """What an artifact embeds of all images, in `out`."""
    answer = CliRunner().invoke(app, ["embed", str(artifact), "--data", str(images), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    return out


def test_an_onnx_file_that_was_changed_before_its_engine_was_built_fails(
    dist: Path, data: DataSet, images: Path, tmp_path: Path
) -> None:
    artifact = dist / "jetson-orin.onnx"
    right = embedded(artifact, images, tmp_path / "gallery.safetensors")
    check = of_gallery(verify([str(dist / "server-cpu.onnx")], data=data, gallery=right))["intact"]
    assert check.status is Status.PASS
    assert "That is jetson-orin.onnx, not what is still to be built from it." in check.why
    faults.operate(artifact, faults.scaled_layer(1.01), sealed=False)
    stored = embedded(artifact, images, tmp_path / "changed gallery.safetensors")
    verdict = verify([str(dist / "server-cpu.onnx")], data=data, gallery=stored)
    assert failed(verdict) == {"intact"}
    assert "jetson-orin.onnx differ" in of_gallery(verdict)["intact"].why


@pytest.mark.parametrize("sealed", [False, True], ids=["only the file is newer", "its sidecar, too"])
def test_a_stored_gallery_outlives_the_artifact_that_made_it(
    dist: Path, data: DataSet, recorded: Path, sealed: bool
) -> None:
    """A recording that stands for the artifact that lies beside it would be that of another."""
    stored = Path(shutil.copy(recorded, dist / "gallery.safetensors"))
    faults.operate(dist / "server-cpu.onnx", faults.scaled_layer(1.0001), sealed=sealed)
    verdict = verify([str(dist / f"{PROFILE}.onnx")], data=data, gallery=stored)
    assert verdict.status is Status.PASS, [check for check in verdict.checks if check.status is not Status.PASS]
    assert "Files beside it were not compared." in of_gallery(verdict)["intact"].why


@pytest.mark.parametrize("name", ["/home/me@work/a.onnx", "D:\\me@work\\a.onnx"])
def test_a_recording_without_a_sidecar_of_a_path_with_an_at_is_of_no_run(
    exported: Path, data: DataSet, recorded: Path, tmp_path: Path, name: str
) -> None:
    stored = changed_recording(
        recorded, tmp_path / "gallery.safetensors", lambda _, header: header.update(sidecar=None, artifact=name)
    )
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=stored)
    assert not failed(verdict)
    assert of_gallery(verdict)["intact"].status is Status.UNVERIFIED


def test_of_a_recording_with_some_of_the_queries_it_is_told_why_the_makers_self_test_is_not_known(
    exported: Path, data: DataSet, recorded: Path, tmp_path: Path
) -> None:
    def cut(arrays: dict[str, Any], header: dict[str, Any]) -> None:
        for name, array in arrays.items():
            arrays[name] = np.ascontiguousarray(array[5:])  # the queries come first

    stored = changed_recording(recorded, tmp_path / "gallery.safetensors", cut)
    checks = of_gallery(verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=stored))
    assert checks["rows"].status is Status.PASS
    assert "more rows, of other images" not in checks["rows"].why
    assert "5 of 20 queries have no row in it" in checks["rows"].why
    assert "self-test of the gallery's maker isn't known" in checks["criterion"].why


def test_of_a_recording_with_some_of_the_gallery_rows_of_queries_are_no_strangers(
    exported: Path, data: DataSet, recorded: Path, tmp_path: Path
) -> None:
    def cut(arrays: dict[str, Any], header: dict[str, Any]) -> None:
        for name, array in arrays.items():
            arrays[name] = np.ascontiguousarray(array[5:-5])

    stored = changed_recording(recorded, tmp_path / "gallery.safetensors", cut)
    check = of_gallery(verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=stored))["rows"]
    assert check.status is Status.FAIL
    assert "0 of its 50 rows are of no image of --data" in check.why


def test_a_recording_of_a_run_folder_passes_and_its_width_is_known(
    exported: Path, trained: Path, data: DataSet, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "gallery.safetensors"
    answer = CliRunner().invoke(app, ["embed", f"{trained}@0.5", "--data", str(images), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=out)
    assert verdict.status is Status.PASS
    assert verdict.artifacts[-1].width == 0.5


def test_a_row_of_the_same_sub_model_that_is_far_fails(
    exported: Path, data: DataSet, recorded: Path, tmp_path: Path
) -> None:
    """Nearer than most others, and of no other image: beside another width it would be taken for right."""

    def blur(arrays: dict[str, Any], header: dict[str, Any]) -> None:
        rows = arrays["embedding"].copy()
        away = np.random.default_rng(0).standard_normal(rows.shape[1]).astype(np.float32)
        rows[30] = unit((rows[30] + 0.2 * away / np.linalg.norm(away))[None])[0]
        arrays["embedding"] = rows

    stored = changed_recording(recorded, tmp_path / "gallery.safetensors", blur)
    assert not failed(verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=stored))
    verdict = verify([str(exported / "server-cpu.onnx")], data=data, gallery=stored)
    assert failed(verdict) == {"own-row"}
    assert "The same sub-model made the stored rows" in of_gallery(verdict)["own-row"].why


@pytest.mark.parametrize(
    ("choose", "told"),
    [
        pytest.param(lambda names: names[:-4], "doesn't say which image|rows, but names", id="fewer names than rows"),
        pytest.param(
            lambda names: ["x/" + name for name in names],
            "40 of its 40 rows are of no image of --data. Its own paths are such as x/gallery/000/",
            id="others",
        ),
        pytest.param(lambda names: [names[1], *names[1:]], "names 1 images twice", id="twice"),
    ],
)
def test_wrong_names_fail(
    judged: Callable[..., Verdict], data: DataSet, choose: Callable[[list[str]], list[str]], told: str
) -> None:
    verdict = judged(names=choose(paths(data)))
    assert verdict.status is Status.FAIL
    (why,) = [check.why for check in verdict.checks if check.status is Status.FAIL]
    assert any(part in why for part in told.split("|"))


def test_a_truncated_gallery_fails_and_says_what_is_missing(
    judged: Callable[..., Verdict], rows: NDArray[np.float32], data: DataSet
) -> None:
    verdict = judged(rows[:-3], paths(data)[:-3])
    assert failed(verdict) == {"rows"}
    assert "3 of 40 gallery images have no row in it, as gallery/009/37.png" in of_gallery(verdict)["rows"].why


def test_a_gallery_of_another_space_fails(judged: Callable[..., Verdict]) -> None:
    verdict = judged(space="5" * 64)
    assert failed(verdict) == {"space"}
    assert of_gallery(verdict)["criterion"].status is Status.UNVERIFIED


def test_a_recording_of_other_images_fails(exported: Path, recorded: Path, tmp_path: Path, images: Path) -> None:
    split = portraits(range(IDENTITIES), range(30, 34))
    other = DataSet("other", None, split.keep(()), split, split)
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=other, gallery=recorded)
    assert failed(verdict) == {"rows"}


def test_a_damaged_file_fails(exported: Path, data: DataSet, recorded: Path, tmp_path: Path) -> None:
    cut = tmp_path / "gallery.safetensors"
    cut.write_bytes(recorded.read_bytes()[:-100])
    verdict = verify([str(exported / f"{PROFILE}.onnx")], data=data, gallery=cut)
    assert failed(verdict) == {"readable"}


def test_where_the_makers_self_test_decides_it_is_not_guessed(
    judged: Callable[..., Verdict], rows: NDArray[np.float32]
) -> None:
    """Rows near the right ones, but so noisy that images of an identity are no longer found."""
    noise = np.random.default_rng(1).standard_normal(rows.shape).astype(np.float32)
    verdict = judged(unit(rows + 1.1 * unit(noise)))
    check = of_gallery(verdict)["criterion"]
    assert check.status is Status.UNVERIFIED
    assert "depends on the self-test of the gallery's maker" in check.why
    assert re.search(r"it is none if that has at most [\d.]+ % of mAP( and [\d.]+ % of rank-1)?\.", check.why)
    assert "sfsc-deploy embed" in (check.command or "")


@pytest.mark.parametrize("name", [f"{PROFILE}.onnx", "jetson-orin.engine"], ids=["run here", "still to be built"])
def test_images_of_the_data_that_cannot_be_read_are_named_and_not_held_against_the_gallery(
    exported: Path, images: Path, recorded: Path, tmp_path: Path, name: str
) -> None:
    copied = Path(shutil.copytree(images, tmp_path / "images"))
    broken = [copied / "gallery/003/14.png", copied / "query/001/2.png"]
    for path in broken:
        path.write_bytes(path.read_bytes()[:60])
    artifact = str(exported / name)
    data = open_dataset(copied, with_train=False, check_images=False)
    with pytest.raises(SfscError, match=f"2 of 60 images in {copied} can't be read") as caught:
        verify([artifact], data=data, gallery=recorded)
    assert all(str(path) in caught.value.message for path in broken)
    answer = CliRunner().invoke(
        app, ["verify-compat", artifact, "--gallery", str(recorded), "--data", str(copied)], catch_exceptions=False
    )
    assert (answer.exit_code, answer.stdout) == (2, "")


def test_wrong_use_is_refused(exported: Path, data: DataSet, recorded: Path, tmp_path: Path) -> None:
    artifact = str(exported / f"{PROFILE}.onnx")
    with pytest.raises(SfscError, match="does not exist"):
        verify([artifact], data=data, gallery=tmp_path / "nothing.safetensors")
    with pytest.raises(SfscError, match="has to be known"):
        verify([artifact], gallery=recorded)
    with pytest.raises(SfscError, match="only be compared with themselves"):
        verify([artifact, str(recorded)], data=data, gallery=recorded)
    answer = CliRunner().invoke(app, ["verify-compat", artifact, "--gallery", str(recorded)])
    assert (answer.exit_code, "--data DIR" in answer.stderr) == (2, True)


def test_one_that_is_given_as_a_subject_is_told_to_be_a_gallery(exported: Path, recorded: Path) -> None:
    verdict = verify([str(exported / f"{PROFILE}.onnx"), str(recorded)])
    (finding,) = (check for check in verdict.checks if (check.subject, check.name) == (str(recorded), "finite"))
    assert finding.status is Status.UNVERIFIED
    assert finding.why.startswith(f"{recorded} holds rows of a data set, but not of the probe")
    assert f"--gallery {recorded} --data DIR" in finding.why
    assert finding.command == f"sfsc-deploy embed {exported / 'server-cpu.onnx'} --out OTHER.safetensors"


def test_the_command_reports_it(exported: Path, images: Path, recorded: Path, tmp_path: Path) -> None:
    artifact, page = str(exported / f"{PROFILE}.onnx"), tmp_path / "r.html"
    arguments = ["verify-compat", artifact, "--gallery", str(recorded), "--data", str(images), "--report", str(page)]
    answer = CliRunner().invoke(
        app, [*arguments, "--junit", str(tmp_path / "r.xml"), "--markdown", str(tmp_path / "r.md")]
    )
    assert answer.exit_code == 0, answer.output
    assert "own-row" in answer.stdout
    for report in ("r.html", "r.xml", "r.md"):
        assert "own-row" in (tmp_path / report).read_text(encoding="utf-8")


def test_a_threshold_is_not_tried_on_stored_rows_and_that_is_told(
    exported: Path, data: DataSet, recorded: Path
) -> None:
    verdict = verify([str(exported / "server-cpu.onnx")], data=data, gallery=recorded, fpr=0.05)
    (check,) = (check for check in verdict.checks if check.name == "operating-point")
    assert (check.status, check.gallery) == (Status.UNVERIFIED, str(recorded))
    assert check.command is not None
