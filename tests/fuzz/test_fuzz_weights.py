"""What `torch.save` wrote, or claims to have: weights and checkpoints from strangers."""

import os
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="it wrote these files")

from hostile import in_a_child, mutants, refused  # noqa: E402
from tiny_supernet import tiny_recipe  # noqa: E402
from trainer import checkpoint, weight_file  # noqa: E402

RECIPE = tiny_recipe(arch="resnet-mini")
STATE = {"supernet": {"a": torch.ones(3)}, "optimiser": {"step": 2, "rates": [0.1, 0.2]}}


class Payload:
    """Makes a folder as soon as it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = str(made)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.made,)


def read_both(file: Path) -> Iterator[bool]:
    yield refused(lambda: weight_file.read(str(file)))
    yield refused(lambda: checkpoint.load(file, recipe=RECIPE, images="0"))


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_read_or_refused(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "a.pt"
    torch.save(STATE, file, _use_new_zipfile_serialization=zipped)
    contents = [file.read_bytes()]
    checkpoint.save(file, recipe=RECIPE, images="0", step=3, state=STATE)
    contents += [file.read_bytes()] if zipped else []
    for content in contents:
        for changed in mutants(content, 120):
            file.write_bytes(changed)
            list(read_both(file))


@pytest.mark.parametrize("pack", ["zip", "legacy", "pickle"])
def test_nothing_in_them_is_run(tmp_path: Path, pack: str) -> None:
    file, made = tmp_path / "a.pt", tmp_path / "made"
    content = {"state_dict": {"a": torch.ones(2)}, "recipe": Payload(made)}
    if pack == "pickle":
        file.write_bytes(pickle.dumps(Payload(made), protocol=2))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=pack == "zip")
    assert all(read_both(file))
    assert not made.exists()


def test_pickles_made_by_hand_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    deep = b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b"."
    for content in (b"", deep, b"\x80\x02\x8a\xff" + b"\xff" * 255 + b".", b"\x80\x02}r\xff\xff\xff\xff.", b"PK\3\4"):
        file.write_bytes(content)
        assert all(read_both(file))


def spread(file: Path) -> None:
    """One number that is shown as 10^12 of them."""
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, file)


def thin(file: Path) -> None:
    """A single number of 10^10 is stored."""
    indices, values = torch.zeros((1, 1), dtype=torch.int64), torch.ones(1)
    torch.save({"a": torch.sparse_coo_tensor(indices, values, (10**10,), check_invariants=True)}, file)


def nowhere(file: Path) -> None:
    """No number at all is stored."""
    torch.save({"a": torch.empty(10**10, device="meta")}, file)


@pytest.mark.parametrize("make", [spread, thin, nowhere])
def test_tensors_that_are_larger_than_what_is_stored_are_refused(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "a.pt")
    assert all(read_both(tmp_path / "a.pt"))


def test_archives_that_grow_are_refused_within_the_memory_that_a_small_file_takes(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "small.pt")
    torch.save({"a": torch.ones(2)}, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    legacy = (tmp_path / "legacy.pt").read_bytes()
    (tmp_path / "legacy.pt").write_bytes(legacy.replace(b"K\x02N", b"J" + struct.pack("<i", 2**31 - 1) + b"N"))
    with zipfile.ZipFile(tmp_path / "small.pt") as small, zipfile.ZipFile(tmp_path / "grown.pt", "w") as grown:
        for entry in small.infolist():
            is_data = entry.filename.endswith("data/0")
            grown.writestr(entry.filename, bytes(300 << 20) if is_data else small.read(entry), zipfile.ZIP_DEFLATED)
    prepare = f"from trainer import weight_file\nweight_file.read({str(tmp_path / 'small.pt')!r})"
    said, mebibytes = in_a_child(prepare, "weight_file.read(file)", tmp_path / "grown.pt", tmp_path / "legacy.pt")
    assert [line.partition(" ")[0] for line in said] == ["TrainerError", "TrainerError"]
    assert mebibytes < 64


def test_tied_and_circular_contents_are_read(tmp_path: Path) -> None:
    """What torch.save itself writes of shared tensors and of lists that hold themselves isn't suspicious."""
    shared: list[Any] = [torch.ones(4)]
    shared.append(shared)
    torch.save({"a": shared[0], "b": shared[0][:2], "c": shared}, tmp_path / "a.pt")
    assert set(weight_file.read(str(tmp_path / "a.pt")).tensors) == {"a", "b"}
