"""What is wrong with a data set is told before anything starts, with the remedy."""

from pathlib import Path

import pytest

from image_trees import MARKET_TREE, SPLIT_TREE, truncate, write_image, write_manifest, write_tree
from sfsc_deploy.data.layouts import expected_layouts, open_dataset
from sfsc_deploy.errors import SfscError


def refusal(root: Path, **options: bool) -> SfscError:
    with pytest.raises(SfscError) as caught:
        open_dataset(root, **options)
    assert str(root) in caught.value.message
    assert caught.value.remedy
    return caught.value


def without(prefix: str) -> list[str]:
    return [name for name in SPLIT_TREE if not name.startswith(prefix)]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert "doesn't exist" in refusal(tmp_path / "absent").message


def test_an_empty_folder(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert "is empty" in error.message
    assert expected_layouts() in error.message


@pytest.mark.parametrize("names", [["1.png", "2.png"], ["train/a/1.png", "val/a/1.png"]])
def test_an_unknown_layout_is_told_with_the_known_ones(tmp_path: Path, names: list[str]) -> None:
    error = refusal(write_tree(tmp_path, names))
    assert "holds no data set" in error.message
    assert expected_layouts() in error.message


def test_a_file_that_is_no_list(tmp_path: Path) -> None:
    assert expected_layouts() in refusal(write_image(tmp_path / "1.png")).message


def test_a_data_set_one_folder_deeper_is_pointed_at(tmp_path: Path) -> None:
    write_tree(tmp_path / "unpacked", SPLIT_TREE)
    assert refusal(tmp_path).remedy == f"Did you mean {tmp_path / 'unpacked'}?"


def test_too_few_training_identities(tmp_path: Path) -> None:
    error = refusal(write_tree(tmp_path, without("train/bert")))
    assert "2 training images of 1 identities" in error.message


@pytest.mark.parametrize("split", ["query", "gallery"])
def test_a_split_without_images(tmp_path: Path, split: str) -> None:
    assert f"no {split} images" in refusal(write_tree(tmp_path, without(split))).message


def test_a_gallery_of_junk_is_none(tmp_path: Path) -> None:
    names = [name for name in MARKET_TREE if "test/0" not in name]
    assert "no gallery images" in refusal(write_tree(tmp_path, names)).message


def test_too_few_identity_folders_to_measure_with(tmp_path: Path) -> None:
    names = ["a/1.png", "a/2.png", "b/1.png", "b/2.png", "c/1.png"]
    assert "no query images" in refusal(write_tree(tmp_path, names)).message


def test_queries_that_the_gallery_lacks_are_named(tmp_path: Path) -> None:
    lost = [f"query/lost {number:02}/1.png" for number in range(13)]
    error = refusal(write_tree(tmp_path, [*SPLIT_TREE, *lost]))
    assert "13 query identities" in error.message
    assert "lost 09" in error.message
    assert "lost 10" not in error.message
    assert "and 3 more" in error.message


def test_matches_by_the_own_camera_alone_are_no_matches(tmp_path: Path) -> None:
    names = (
        "train/a/1_c1_1.png",
        "train/b/1_c1_1.png",
        "query/c/1_c2_1.png",
        "gallery/c/1_c2_2.png",
        "gallery/d/1_c1_1.png",
    )
    assert "by another camera" in refusal(write_tree(tmp_path, names)).message


def test_market_names_without_identity_are_named(tmp_path: Path) -> None:
    error = refusal(write_tree(tmp_path, [*MARKET_TREE, "query/holiday.jpg"]))
    assert "holiday.jpg" in error.message
    assert "0002_c1s1_000451_03.jpg" in error.remedy


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A data set of which twelve training images are truncated or no images at all."""
    write_tree(tmp_path, [*SPLIT_TREE, *(f"train/bert/damaged {number:02}.png" for number in range(12))])
    for number in range(12):
        path = truncate(tmp_path / f"train/bert/damaged {number:02}.png")
        if number % 2:
            path.write_text("no image")
    return tmp_path


def test_unreadable_images_are_counted_and_named(damaged: Path) -> None:
    error = refusal(damaged)
    assert f"12 of {len(SPLIT_TREE) + 12} images" in error.message
    assert f"{damaged / 'train/bert/damaged 01.png'}: not an image of a known format" in error.message
    assert "damaged 09" in error.message
    assert "damaged 10" not in error.message
    assert "and 2 more" in error.message
    assert "--skip-unreadable" in error.remedy


def test_unreadable_images_can_be_left_out(damaged: Path) -> None:
    data = open_dataset(damaged, skip_unreadable=True)
    assert len(data.train) == 3
    assert [path.name for path in data.skipped] == [f"damaged {number:02}.png" for number in range(12)]


def test_what_is_left_must_still_be_enough(damaged: Path) -> None:
    truncate(damaged / "gallery/carl/2.png")
    assert "carl" in refusal(damaged, skip_unreadable=True).message


def test_images_are_not_opened_unless_asked(damaged: Path) -> None:
    assert len(open_dataset(damaged, check_images=False).train) == 15


def test_a_broken_link_is_unreadable(tmp_path: Path) -> None:
    write_tree(tmp_path, SPLIT_TREE)
    (tmp_path / "train/anna/3.png").symlink_to(tmp_path / "moved.png")
    assert "no such file" in refusal(tmp_path).message


COLUMNS = ("path", "identity", "split", "camera")
ROWS = (
    ("train/anna/1.png", "a", "train", "1"),
    ("train/bert/1.png", "b", "train", "1"),
    ("query/carl/1.png", "c", "query", "1"),
    ("gallery/carl/2.png", "c", "gallery", "2"),
)


def manifest_refusal(root: Path, row: tuple[str, ...], columns: tuple[str, ...] = COLUMNS) -> SfscError:
    write_tree(root, SPLIT_TREE)
    write_manifest(root / "manifest.csv", [*ROWS, row], columns)
    return refusal(root)


@pytest.mark.parametrize("column", ["path", "identity", "split"])
def test_a_manifest_without_a_column(tmp_path: Path, column: str) -> None:
    columns = tuple("other" if name == column else name for name in COLUMNS)
    error = manifest_refusal(tmp_path, ROWS[0], columns)
    assert f"has no column {column}; its columns are" in error.message
    assert "other" in error.message


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("train/anna/2.png", "a", "test", "1"), "split 'test'"),
        (("train/anna/2.png", "a", "train", "left"), "camera 'left'"),
        (("train/anna/2.png", "a", "train", "-1"), "camera '-1'"),
        (("train/anna/2.png", "a", "train", "1234567890"), "camera '1234567890'"),
        (("train/anna/2.png", "", "train", "1"), "lacks a path or an identity"),
        (("", "a", "train", "1"), "lacks a path or an identity"),
        (("train/anna/2.png",), "lacks a path or an identity"),
        (("../outside.png", "a", "train", "1"), "leads out of"),
        (("train/../../outside.png", "a", "train", "1"), "leads out of"),
        (("/etc/outside.png", "a", "train", "1"), "leads out of"),
        (("C:\\outside.png", "a", "train", "1"), "leads out of"),
        (("train\\..\\..\\outside.png", "a", "train", "1"), "leads out of"),
    ],
)
def test_a_wrong_line_of_a_manifest_is_told_with_its_number(tmp_path: Path, row: tuple[str, ...], told: str) -> None:
    error = manifest_refusal(tmp_path, row)
    assert "manifest.csv, line 6," in error.message
    assert told in error.message


def test_listed_images_that_do_not_exist_are_named(tmp_path: Path) -> None:
    error = manifest_refusal(tmp_path, ("train/anna/9.png", "a", "train", "1"))
    assert "lists 1 images that don't exist" in error.message
    assert "train/anna/9.png" in error.message


def test_an_image_listed_twice_is_named(tmp_path: Path) -> None:
    assert "lists images twice" in manifest_refusal(tmp_path, ROWS[3]).message


@pytest.mark.parametrize(
    "content", [b"path,identity,split\n\xff\xfe,a,train\n", b'path,identity,split\n"' + b"x" * 200_000]
)
def test_a_manifest_that_is_no_csv_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    assert "is not a CSV file" in refusal(tmp_path).message


def test_an_empty_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").touch()
    assert "its columns are none" in refusal(tmp_path).message
