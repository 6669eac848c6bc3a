"""MSMT17 and VeRi-776, as they are published."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_trees import MARKET_TREE, MSMT_LISTS, SPLIT_TREE, VERI_TREE, write_image, write_msmt17, write_tree
from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.layouts import expected_layouts, open_dataset
from sfsc_deploy.data.layouts.listed_paths import leads_out
from sfsc_deploy.data.layouts.msmt17 import LISTS, ListedImage, parse_line
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import retrieve


def refusal(root: Path, **options: bool) -> SfscError:
    with pytest.raises(SfscError) as caught:
        open_dataset(root, **options)
    assert caught.value.remedy
    return caught.value


def counts(data: DataSet) -> tuple[int, int, int]:
    return len(data.train), len(data.query), len(data.gallery)


def rank_of_the_match(data: DataSet) -> int:
    """By a model that puts the query's own camera first, the image of another identity second."""
    query, gallery = data.labels()
    assert query.camera is not None
    assert gallery.camera is not None
    same = gallery.identity == query.identity[0]
    own = same & (gallery.camera == query.camera[0])
    cosine = np.where(own, 1.0, np.where(same, -1.0, 0.0))
    embedding = np.stack([cosine, np.sqrt(1 - cosine**2)], axis=1).astype(np.float32)
    return int(retrieve(np.array([[1, 0]], np.float32), embedding, query, gallery).first_match[0])


def test_veri776(tmp_path: Path) -> None:
    data = open_dataset(write_tree(tmp_path, VERI_TREE))
    assert counts(data) == (3, 1, 3)
    assert data.train.identity == ("0001", "0001", "0003")
    assert data.train.camera == (1, 2, 20)
    assert (data.query.identity, data.query.camera) == (("0002",), (2,))
    assert data.gallery.identity == ("0002", "0002", "0005")


def test_what_else_veri776_holds_is_passed_over(tmp_path: Path) -> None:
    write_tree(tmp_path, VERI_TREE)
    for name in ("train_label.xml", "name_query.txt", "image_test/Thumbs.db"):
        (tmp_path / name).write_text("no image")
    assert counts(open_dataset(tmp_path)) == (3, 1, 3)


def test_names_of_veri776_that_tell_nothing_are_named(tmp_path: Path) -> None:
    error = refusal(write_tree(tmp_path, [*VERI_TREE, "image_test/holiday.jpg"]))
    assert "holiday.jpg" in error.message
    assert "0001_c001_00016450_0.jpg" in error.remedy


def test_veri776_can_be_measured_with_without_its_training_images(tmp_path: Path) -> None:
    write_tree(tmp_path, [name for name in VERI_TREE if "train" not in name])
    assert counts(open_dataset(tmp_path, with_train=False)) == (0, 1, 3)
    assert "0 training images" in refusal(tmp_path).message


@pytest.mark.parametrize("folders", [("train", "test"), ("mask_train_v2", "mask_test_v2")])
def test_msmt17(tmp_path: Path, folders: tuple[str, str]) -> None:
    data = open_dataset(write_msmt17(tmp_path, folders=folders))
    train, test = folders
    assert counts(data) == (3, 1, 3)
    assert data.train.identity == (f"{train}/0000", f"{train}/0001", f"{train}/0000")
    assert data.train.camera == (1, 5, 12)
    assert data.train.sources[2] == tmp_path / train / "0000/0000_001_12_0303afternoon_0030_0.jpg"
    assert data.gallery.identity == (f"{test}/0000", f"{test}/0000", f"{test}/0002")
    assert data.gallery.camera == (3, 14, 1)
    assert not data.train.identities & (data.query.identities | data.gallery.identities)


@pytest.mark.parametrize("layout", ["msmt17", "veri776"])
def test_matches_by_the_own_camera_do_not_count(tmp_path: Path, layout: str) -> None:
    write_msmt17(tmp_path) if layout == "msmt17" else write_tree(tmp_path, VERI_TREE)
    assert rank_of_the_match(open_dataset(tmp_path)) == 2


def test_images_that_no_list_names_are_not_used(tmp_path: Path) -> None:
    write_image(write_msmt17(tmp_path) / "train/0000/0000_009_01_0303morning_0099_0.jpg")
    assert counts(open_dataset(tmp_path)) == (3, 1, 3)


def test_lists_may_end_in_blank_lines_and_come_from_another_system(tmp_path: Path) -> None:
    write_msmt17(tmp_path)
    for name, lines in MSMT_LISTS.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, "", ""]).encode())
    assert counts(open_dataset(tmp_path)) == (3, 1, 3)


def test_msmt17_can_be_measured_with_without_its_training_images(tmp_path: Path) -> None:
    write_msmt17(tmp_path)
    (tmp_path / "train").rename(tmp_path / "elsewhere")
    assert counts(open_dataset(tmp_path, with_train=False)) == (0, 1, 3)
    assert "0 training images" in refusal(tmp_path).message


@pytest.mark.parametrize("name", LISTS)
def test_a_missing_list_is_named(tmp_path: Path, name: str) -> None:
    (write_msmt17(tmp_path) / name).unlink()
    assert f"{tmp_path / name} is missing" in refusal(tmp_path).message


def test_listed_images_that_do_not_exist_are_named(tmp_path: Path) -> None:
    lost = write_msmt17(tmp_path) / "test/0002/0002_000_01_0303morning_0018_0.jpg"
    lost.unlink()
    error = refusal(tmp_path)
    assert "lists 1 images that don't exist" in error.message
    assert str(lost) in error.message


def test_an_image_to_train_and_to_validate_on_is_named(tmp_path: Path) -> None:
    lists = {**MSMT_LISTS, "list_val.txt": MSMT_LISTS["list_train.txt"][:1]}
    error = refusal(write_msmt17(tmp_path, lists))
    assert "lists images twice" in error.message
    assert "0000_000_01" in error.message
    assert "list_val.txt" in error.message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0000/0000_000_01_0303morning_0015_0.jpg", "reads"),
        ("0000/0000_000_01_0303morning_0015_0.jpg -1", "reads"),
        ("0000/0000_000_01_0303morning_0015_0.jpg 12345678901", "reads"),
        ("0000/holiday.jpg 0", "reads"),
        ("7", "reads"),
        ("../0000_000_01_0303morning_0015_0.jpg 0", "leads out"),
        ("/etc/0000_000_01_0303morning_0015_0.jpg 0", "leads out"),
        ("C:\\0000/0000_000_01_0303morning_0015_0.jpg 0", "leads out"),
        ("0000\\..\\../0000_000_01_0303morning_0015_0.jpg 0", "leads out"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, line: str, told: str) -> None:
    file = write_msmt17(tmp_path) / "list_gallery.txt"
    file.write_text("\n".join([*MSMT_LISTS["list_gallery.txt"], line]), encoding="utf-8")
    error = refusal(tmp_path)
    assert f"{file}, line 4, " in error.message
    assert told in error.message


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (write_msmt17(tmp_path) / "list_query.txt").write_bytes(b"\xff\xfe\x00")
    assert "is no text" in refusal(tmp_path).message


def test_a_list_of_nothing_leaves_nothing_to_measure_with(tmp_path: Path) -> None:
    (write_msmt17(tmp_path) / "list_query.txt").write_text("")
    assert "has no query images" in refusal(tmp_path).message


@pytest.mark.parametrize("tree", [SPLIT_TREE, MARKET_TREE, VERI_TREE])
def test_lists_beside_another_layout_do_not_change_it(tmp_path: Path, tree: tuple[str, ...]) -> None:
    before = open_dataset(write_tree(tmp_path, tree))
    (tmp_path / "list_train.txt").write_text("shopping")
    assert open_dataset(tmp_path) == before


def test_folders_without_their_lists_are_told_what_was_expected(tmp_path: Path) -> None:
    write_msmt17(tmp_path)
    for name in LISTS:
        (tmp_path / name).unlink()
    error = refusal(tmp_path)
    assert expected_layouts() in error.message
    assert "list_gallery.txt" in error.message


@given(
    folder=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), max_size=9),
    identity=st.integers(0, 10**9 - 1),
    camera=st.integers(0, 10**9 - 1),
    gap=st.sampled_from([" ", "  ", "\t"]),
)
def test_what_is_written_is_read(folder: str, identity: int, camera: int, gap: str) -> None:
    path = f"{folder}/{identity:04}_000_{camera:02}_0303morning_0015_0.jpg"
    assert parse_line(f"{path}{gap}{identity}") == ListedImage(path, identity, camera)


@given(line=st.text())
def test_any_other_line_is_refused_rather_than_stumbled_over(line: str) -> None:
    assert parse_line(line) is None


@given(parts=st.lists(st.sampled_from(["a", "..", ".", "b c", "...", "", "C:", "\\", "/"]), max_size=6))
def test_no_listed_path_leads_out(parts: list[str]) -> None:
    path = "/".join(parts)
    outside = not (Path("/data/set") / path).resolve().is_relative_to("/data/set")
    assert leads_out(path) or not outside
