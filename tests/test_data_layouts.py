"""Each layout is found out from the names in the folder, and read by its rules."""

from pathlib import Path

import pytest

from image_trees import MARKET_TREE, SPLIT_TREE, write_image, write_manifest, write_tree
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.data.layouts import expected_layouts, open_dataset
from sfsc_deploy.data.layouts.opening import LAYOUTS
from sfsc_deploy.metrics import JUNK


def listed(split: Split, root: Path) -> list[tuple[str, str, int | None]]:
    cameras = split.camera or [None] * len(split)
    paths = [source.relative_to(root).as_posix() for source in split.sources if isinstance(source, Path)]
    return list(zip(paths, split.identity, cameras, strict=True))


def images_of(data: DataSet) -> tuple[int, int, int]:
    return len(data.train), len(data.query), len(data.gallery)


def test_split_folders(tmp_path: Path) -> None:
    data = open_dataset(write_tree(tmp_path / "people", SPLIT_TREE))
    assert (data.name, data.root, data.skipped) == ("people", tmp_path / "people", ())
    assert listed(data.train, tmp_path / "people") == [
        ("train/anna/1.png", "anna", None),
        ("train/anna/2.png", "anna", None),
        ("train/bert/1.png", "bert", None),
    ]
    assert data.query.identity == ("carl", "dora")
    assert data.gallery.identity == ("carl", "dora", "erna")


def test_split_folders_with_names_that_tell_the_camera(tmp_path: Path) -> None:
    names = (
        "train/0000/0000_c1s1_000001_00.jpg",
        "train/0003/0003_c2s1_000001_00.jpg",
        "query/0005/0005_c3s1_000001_00.jpg",
        "gallery/0005/0005_c1s2_000001_00.jpg",
    )
    data = open_dataset(write_tree(tmp_path, names))
    assert data.train.camera == (1, 2)
    assert data.query.camera == (3,)
    assert data.gallery.camera == (1,)
    # In folders 0000 is a name like any other: only Market-1501 itself means a distractor by it.
    assert data.train.identity == ("0000", "0003")


def test_cameras_count_only_if_every_name_tells_one(tmp_path: Path) -> None:
    names = ("train/a/1_c1_1.png", "train/b/holiday.png", "query/c/3_c1_1.png", "gallery/c/3_c2_1.png")
    data = open_dataset(write_tree(tmp_path, names))
    assert data.train.camera is data.query.camera is data.gallery.camera is None


def test_market1501(tmp_path: Path) -> None:
    data = open_dataset(write_tree(tmp_path, MARKET_TREE))
    assert listed(data.train, tmp_path) == [
        ("bounding_box_train/0002_c1s1_000451_03.jpg", "0002", 1),
        ("bounding_box_train/0002_c2s1_000452_01.jpg", "0002", 2),
        ("bounding_box_train/0007_c3s1_000453_02.jpg", "0007", 3),
    ]
    assert listed(data.query, tmp_path) == [("query/0001_c1s1_001051_00.jpg", "0001", 1)]
    assert data.gallery.camera == (5, 4, 1, 4)


def test_market1501_keeps_junk_and_distractors_in_the_gallery_only(tmp_path: Path) -> None:
    data = open_dataset(write_tree(tmp_path, MARKET_TREE))
    query, gallery = data.labels()
    junk, distractor, *matches = gallery.identity.tolist()
    assert junk == JUNK
    assert distractor >= 0
    assert distractor not in query.identity
    assert matches == [query.identity[0]] * 2
    assert data.train.identities == {"0002", "0007"}


@pytest.mark.parametrize("name", ["0001_c2_f0046182.jpg", "0001_c002_00016450_0.jpg"])
def test_kindred_names_tell_the_camera_too(tmp_path: Path, name: str) -> None:
    names = ("train/a/1_c1_1.jpg", "train/b/1_c1_1.jpg", "gallery/c/1_c1_1.jpg", f"query/c/{name}")
    assert open_dataset(write_tree(tmp_path, names)).query.camera == (2,)


def test_identity_folders_are_split_by_the_stated_rule(tmp_path: Path) -> None:
    tree = [f"{identity}/{number}.png" for identity in "abcdef" for number in range(7)]
    data = open_dataset(write_tree(tmp_path, [*tree, "b2/single.png"]))
    assert data.train.identities == {"a", "b", "b2", "d", "e"}
    assert [path for path, *_ in listed(data.query, tmp_path)] == ["c/0.png", "c/1.png", "f/0.png", "f/1.png"]
    assert data.gallery.identity == ("c",) * 5 + ("f",) * 5


def test_a_measured_identity_of_two_images_has_one_query(tmp_path: Path) -> None:
    data = open_dataset(write_tree(tmp_path, [f"{name}/{number}.png" for name in "abc" for number in (1, 2)]))
    assert images_of(data) == (4, 1, 1)


def test_an_identity_may_be_called_train(tmp_path: Path) -> None:
    data = open_dataset(
        write_tree(tmp_path, [f"{name}/{number}.png" for name in ("car", "train", "van") for number in (1, 2)])
    )
    assert data.train.identities == {"car", "train"}


COLUMNS = ("split", "identity", "camera", "path", "remark")
ROWS = (
    ("train", "a", "1", "pictures/1.png", "by day"),
    ("train", "b", "2", "pictures/2.png", ""),
    ("query", "c", "1", "3.png", ""),
    ("gallery", "c", "2", "pictures/deep/4.png", ""),
)


def listed_in_csv(root: Path, rows: tuple[tuple[str, ...], ...] = ROWS, name: str = "manifest.csv") -> Path:
    write_tree(root, [row[3] for row in rows])
    return write_manifest(root / name, rows, COLUMNS)


@pytest.mark.parametrize("given", [".", "manifest.csv"])
def test_a_manifest_in_the_folder_is_read(tmp_path: Path, given: str) -> None:
    listed_in_csv(tmp_path)
    data = open_dataset(tmp_path / given)
    assert listed(data.train, tmp_path) == [("pictures/1.png", "a", 1), ("pictures/2.png", "b", 2)]
    assert listed(data.query, tmp_path) == [("3.png", "c", 1)]
    assert listed(data.gallery, tmp_path) == [("pictures/deep/4.png", "c", 2)]


def test_a_csv_file_of_any_name_is_read(tmp_path: Path) -> None:
    data = open_dataset(listed_in_csv(tmp_path, name="shop.CSV"))
    assert (data.name, data.root) == ("shop", tmp_path / "shop.CSV")
    assert images_of(data) == (2, 1, 1)


def test_a_manifest_goes_before_the_folders(tmp_path: Path) -> None:
    write_tree(tmp_path, SPLIT_TREE)
    rows = [(Path(name).parts[0], f"no. {Path(name).parts[1]}", "", name, "") for name in SPLIT_TREE[:-1]]
    write_manifest(tmp_path / "manifest.csv", rows, COLUMNS)
    data = open_dataset(tmp_path)
    assert data.gallery.identity == ("no. carl", "no. dora")
    assert data.gallery.camera is None


def test_a_manifest_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    file = listed_in_csv(tmp_path)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert images_of(open_dataset(tmp_path)) == (2, 1, 1)


def test_a_manifest_needs_no_cameras(tmp_path: Path) -> None:
    write_tree(tmp_path, [row[3] for row in ROWS])
    write_manifest(tmp_path / "manifest.csv", [(row[0], row[1], row[3]) for row in ROWS], ("split", "identity", "path"))
    assert open_dataset(tmp_path).query.camera is None


def test_files_that_are_no_images_are_passed_over(tmp_path: Path) -> None:
    write_tree(tmp_path, SPLIT_TREE)
    for name in (
        "train/anna/Thumbs.db",
        "train/anna/.hidden.png",
        "query/LICENSE",
        ".DS_Store",
        "gallery/carl/list.txt",
    ):
        (tmp_path / name).write_text("no image")
    write_image(tmp_path / "train/.cache/1.png")
    (tmp_path / "train/bert/folder.png").mkdir()
    (tmp_path / "train/nobody").mkdir()
    assert images_of(open_dataset(tmp_path)) == (3, 2, 3)


def test_suffixes_may_be_capitals(tmp_path: Path) -> None:
    write_tree(tmp_path, [name.replace("png", "PNG") for name in SPLIT_TREE])
    assert images_of(open_dataset(tmp_path)) == (3, 2, 3)


def test_without_training_images_there_is_still_a_measurement(tmp_path: Path) -> None:
    write_tree(tmp_path, [name for name in SPLIT_TREE if not name.startswith("train")])
    assert images_of(open_dataset(tmp_path, with_train=False)) == (0, 2, 3)


def test_a_measurement_leaves_training_images_alone(tmp_path: Path) -> None:
    write_tree(tmp_path, SPLIT_TREE)
    (tmp_path / "train/anna/1.png").write_text("no image")
    assert images_of(open_dataset(tmp_path, with_train=False)) == (0, 2, 3)


def test_every_layout_is_told_in_a_line() -> None:
    lines = expected_layouts().splitlines()
    assert len(lines) == len(LAYOUTS) == 6
    assert all(layout.name in line and layout.expected in line for layout, line in zip(LAYOUTS, lines, strict=True))
