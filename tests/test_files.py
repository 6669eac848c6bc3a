import errno
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import refuse_unwritable, replacing, sha256_of, write_text


def _tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _write_file(path: Path, content: str) -> None:
    path.write_text(content)


def _write_folder(path: Path, content: str) -> None:
    path.mkdir()
    (path / f"{content}.txt").write_text(content)


KINDS = pytest.mark.parametrize("write", [_write_file, _write_folder])


@KINDS
def test_replacing_leaves_only_the_new_content(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    write(tmp_path / "expected", "new")
    target = tmp_path / "place" / "target"
    target.parent.mkdir()
    write(target, "old")
    with replacing(target) as partial:
        write(partial, "new")
    assert [p.name for p in target.parent.iterdir()] == ["target"]
    assert sha256_of(target) == sha256_of(tmp_path / "expected")


@KINDS
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_replacing_keeps_the_old_content_after_an_error(
    tmp_path: Path, write: Callable[[Path, str], None], error: type[BaseException]
) -> None:
    target = tmp_path / "target"
    write(target, "old")
    before = _tree(tmp_path)
    with pytest.raises(error):
        _fail_after(write, target, error())
    assert _tree(tmp_path) == before


def _fail_after(write: Callable[[Path, str], None], target: Path, error: BaseException) -> None:
    with replacing(target) as partial:
        write(partial, "new")
        raise error


def test_replacing_shows_nothing_at_the_target_while_writing(tmp_path: Path) -> None:
    target = tmp_path / "new" / "model.onnx"
    with replacing(target) as partial:
        partial.write_bytes(b"half")
        assert not target.exists()
        assert partial.suffix == target.suffix
        assert partial.parent == target.parent
    assert target.read_bytes() == b"half"


def test_replacing_swaps_a_link_to_a_folder_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "weights").write_text("weights")
    link = tmp_path / "latest"
    link.symlink_to("run")
    with replacing(link) as partial:
        partial.symlink_to("other")
    assert link.readlink() == Path("other")
    assert (tmp_path / "run" / "weights").read_text() == "weights"


def test_replacing_restores_the_old_folder_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    _write_folder(target, "old")
    before = _tree(tmp_path)
    rename = Path.rename

    def failing_rename(self: Path, to: Path) -> Path:
        if "partial" in self.name:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing_rename)
    with pytest.raises(SfscError, match="Permission denied"), replacing(target) as partial:
        _write_folder(partial, "new")
    assert _tree(tmp_path) == before


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    with pytest.raises(SfscError, match=r"model\.onnx couldn't be written: the disk is full") as caught:
        _fail_after(_write_file, target, OSError(errno.ENOSPC, "No space left on device"))
    assert caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_whatever_a_library_calls_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(SfscError, match="the disk is full"), replacing(tmp_path / "weights"):
        raise RuntimeError("file writer failed")


def test_a_real_full_device_is_told() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(SfscError, match="the disk is full"), replacing(Path("weights")):
        full.write_bytes(b"x")


@pytest.mark.parametrize("name", ["occupied/weights", "occupied/deep/weights"])
def test_a_file_where_a_folder_is_needed_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(SfscError, match="couldn't be written"):
        write_text(tmp_path / name, "text")


def test_a_folder_in_the_place_of_a_file_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(SfscError, match="target couldn't be written"):
        write_text(tmp_path / "target", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


def test_errors_that_are_not_about_writing_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "copy"):
        (tmp_path / "source").read_bytes()
    with pytest.raises(PermissionError), replacing(tmp_path / "copy"):
        raise PermissionError(errno.EACCES, "Permission denied", "elsewhere/source")


def test_write_text_is_utf8_with_plain_newlines_everywhere(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "note.txt", "größer\n")
    assert (tmp_path / "deep" / "note.txt").read_bytes() == "größer\n".encode()


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_sha256_of_a_folder_sees_names_places_and_bytes(tmp_path: Path) -> None:
    trees = [
        {"a": "1", "b": "2"},
        {"a": "2", "b": "1"},
        {"a": "1", "c": "2"},
        {"a": "1", "sub/b": "2"},
        {"a": "1"},
        {"a": "12"},
        {},
    ]
    hashes = set()
    for number, tree in enumerate(trees):
        hashes.add(sha256_of(_plant(tmp_path / str(number), tree)))
    assert len(hashes) == len(trees)


def test_sha256_of_a_folder_depends_on_no_order_of_creation(tmp_path: Path) -> None:
    first = _plant(tmp_path / "first", {"a": "1", "b/c": "2", "d": "3"})
    second = _plant(tmp_path / "second", {"d": "3", "b/c": "2", "a": "1"})
    assert sha256_of(first) == sha256_of(second)


def _plant(folder: Path, tree: dict[str, str]) -> Path:
    folder.mkdir()
    for name, content in tree.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    return folder


def test_sha256_of_nothing_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match=r"absent\.onnx can't be read"):
        sha256_of(tmp_path / "absent.onnx")


@pytest.mark.parametrize("folder", [True, False])
def test_a_place_that_can_be_written_is_not_refused(tmp_path: Path, folder: bool) -> None:
    refuse_unwritable(tmp_path / "new" / "deeper", folder=folder)
    assert list(tmp_path.iterdir()) == []


def test_a_place_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.touch()
    with pytest.raises(SfscError, match=r"notes\.txt is a file, not a folder"):
        refuse_unwritable(file, folder=True)
    with pytest.raises(SfscError, match="is a folder, not a file"):
        refuse_unwritable(tmp_path)
    with pytest.raises(SfscError, match=r"a\.xml can't be written: .*notes\.txt is a file, not a folder"):
        refuse_unwritable(file / "deeper" / "a.xml")


def test_a_place_without_the_right_to_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda place, mode: False)
    with pytest.raises(SfscError, match=f"no right to write in {tmp_path}"):
        refuse_unwritable(tmp_path / "a.xml")
