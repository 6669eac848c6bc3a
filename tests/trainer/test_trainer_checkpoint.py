"""A checkpoint goes on where its run stood, or is refused with the reason."""

import os
import pickle
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_supernet import tiny_recipe
from trainer import checkpoint
from trainer.errors import TrainerError

RECIPE = tiny_recipe(arch="resnet-mini")
STATE = {"weights": torch.arange(4.0)}


def saved(path: Path, **changed: Any) -> Path:
    facts: dict[str, Any] = {"recipe": RECIPE, "images": "abc", "step": 3, "state": STATE}
    checkpoint.save(path, **facts | changed)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pt"


def test_a_checkpoint_gives_back_what_was_saved(file: Path) -> None:
    step, state = checkpoint.load(saved(file), recipe=RECIPE, images="abc")
    assert step == 3
    assert torch.equal(state["weights"], STATE["weights"])
    assert list(file.parent.iterdir()) == [file]


def test_another_recipe_is_refused_by_what_differs(file: Path) -> None:
    other = tiny_recipe(arch="resnet-mini", epochs=4, compatibility={"kl_weight": 0.5})
    with pytest.raises(TrainerError, match=r"differ in epochs \(checkpoint 3, now 4\); compatibility") as caught:
        checkpoint.load(saved(file), recipe=other, images="abc")
    assert "seed" not in caught.value.message


def test_other_images_are_refused(file: Path) -> None:
    with pytest.raises(TrainerError, match=r"other images\. Resume with the same --data"):
        checkpoint.load(saved(file), recipe=RECIPE, images="abd")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9])
def test_a_truncated_checkpoint_is_refused(file: Path, share: float) -> None:
    whole = saved(file).read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(TrainerError, match=r"checkpoint\.pt can't be read as a checkpoint: .+ Start anew"):
        checkpoint.load(file, recipe=RECIPE, images="abc")


def test_an_absent_checkpoint_is_refused(file: Path) -> None:
    with pytest.raises(TrainerError, match=r"checkpoint\.pt can't be read as a checkpoint: No such file"):
        checkpoint.load(file, recipe=RECIPE, images="abc")


@pytest.mark.parametrize(
    "content", [[1, 2], "text", {"recipe": 3}, {"recipe": "{}"}, {"recipe": RECIPE.model_dump_json(), "images": "abc"}]
)
def test_another_torch_file_is_refused(file: Path, content: object) -> None:
    torch.save(content, file)
    with pytest.raises(TrainerError, match="can't be read as a checkpoint"):
        checkpoint.load(file, recipe=RECIPE, images="abc")


class Intruder:
    """What pickle would run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))])
def test_a_checkpoint_never_runs_code(file: Path, tmp_path: Path, write: Any) -> None:
    trace = tmp_path / "ran"
    write({"recipe": Intruder(trace)}, file)
    with pytest.raises(TrainerError, match="can't be read as a checkpoint"):
        checkpoint.load(file, recipe=RECIPE, images="abc")
    assert not trace.exists()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What writing meets on a full disk, but for the number of the error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_told_and_keeps_the_checkpoint_before(file: Path) -> None:
    saved(file)
    large = {"weights": torch.zeros(1_000_000)}
    with (
        files_of_at_most(100_000),
        pytest.raises(TrainerError, match=r"checkpoint\.pt can't be written: File too large"),
    ):
        saved(file, state=large, step=4)
    assert checkpoint.load(file, recipe=RECIPE, images="abc")[0] == 3
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="can't be written: No such file or directory"):
        saved(tmp_path / "gone" / "checkpoint.pt")
