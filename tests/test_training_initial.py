"""Runs that begin with weights which others have trained."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("kornia", reason="training varies its images with kornia")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from sfsc_deploy.errors import Interrupted, SfscError  # noqa: E402
from sfsc_deploy.run_folder import WEIGHTS, RunFolder  # noqa: E402
from sfsc_deploy.training import Plan, Progress, TrainRequest  # noqa: E402
from sfsc_deploy.training.run import train  # noqa: E402
from tiny_supernet import SIDE, tiny_architecture, tiny_recipe  # noqa: E402
from trainer.errors import TrainerError  # noqa: E402
from trainer.networks import build  # noqa: E402


class Heard:
    def __init__(self) -> None:
        self.plans: list[Plan] = []

    def started(self, plan: Plan) -> None:
        self.plans.append(plan)

    def stepped(self, progress: Progress) -> None: ...

    def evaluated(self, epoch: int, evaluation: object) -> None: ...


class StopsAfterAnEpoch(Heard):
    def stepped(self, progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network of the same shape, by torchvision's names and with a classifier of its own."""
    torch.manual_seed(8)
    state = build(tiny_recipe(widths=(1.0,)), 3).state_dict()
    inside = {name.removeprefix("net.backbone."): values for name, values in state.items() if "backbone" in name}
    theirs = {
        name.replace(".norms.0.", ".").replace("stem.0.", "conv1.").replace("stem.1.", "bn1."): values.clone()
        for name, values in inside.items()
    }
    file = tmp_path / "theirs.safetensors"
    save_file(theirs | {"fc.weight": torch.zeros(3, 16)}, file)
    return file


@pytest.fixture
def request_for(tmp_path: Path, weights: Path) -> Callable[..., TrainRequest]:
    rng = np.random.default_rng(0)
    for number in range(9):
        folder = tmp_path / "images" / f"{number:02}"
        folder.mkdir(parents=True)
        for shot in range(4):
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(folder / f"{shot}.png")
    settings = tiny_recipe(batch_size=8).model_dump(exclude_none=True) | {"init": {"file": str(weights)}}
    return lambda **changed: TrainRequest(data=tmp_path / "images", overrides=settings | changed, out=tmp_path / "run")


def test_a_run_begins_with_the_file_and_writes_down_which_it_was(
    request_for: Callable[..., TrainRequest], weights: Path
) -> None:
    heard = Heard()
    run = train(request_for(epochs=1, learning_rate=1e-30), heard)
    assert run.recipe.init is not None
    assert run.recipe.init.file == str(weights)
    assert run.recipe.init.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    fit = heard.plans[0].initial
    assert fit is not None
    assert (fit.missing, fit.left_out) == ((), ("fc.weight",))
    begun = run.networks().state_dict()["net.backbone.layer2.0.conv1.weight"]
    assert torch.equal(begun, load_file(weights)["layer2.0.conv1.weight"])


def test_a_resumed_run_does_not_need_the_file(request_for: Callable[..., TrainRequest], weights: Path) -> None:
    request = request_for()
    assert request.out is not None
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        train(request, StopsAfterAnEpoch())
    weights.unlink()
    heard = Heard()
    run = train(TrainRequest(resume=request.out), heard)
    assert heard.plans[0].initial is None
    assert run.recipe.init == RunFolder.open(request.out).recipe.init
    assert run.recipe.init is not None


def test_a_recipe_refuses_another_file_than_it_was_written_with(
    request_for: Callable[..., TrainRequest], weights: Path
) -> None:
    with pytest.raises(TrainerError, match="another file than the one whose SHA-256 the recipe states"):
        train(request_for(init={"file": str(weights), "sha256": "0" * 64}), Heard())


def test_weights_of_another_architecture_leave_nothing_behind(
    request_for: Callable[..., TrainRequest],
) -> None:
    request = request_for(arch="tiny-bottleneck")
    with pytest.raises(TrainerError, match="doesn't hold the weights of tiny-bottleneck"):
        train(request, Heard())
    assert request.out is not None
    assert not request.out.exists()


@pytest.mark.parametrize("name", [WEIGHTS, "."])
def test_weights_of_a_run_of_our_own_name_the_option_for_them(
    request_for: Callable[..., TrainRequest], tmp_path: Path, name: str
) -> None:
    run = train(request_for(epochs=1), Heard())
    request = replace(request_for(init={"file": str(run.path / name)}), out=tmp_path / "next")
    with pytest.raises(SfscError, match="is of a run of sfsc-deploy") as caught:
        train(request, Heard())
    assert f"--compatible-with {run.path}" in caught.value.remedy


def test_such_weights_are_known_wherever_they_lie(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    run = train(request_for(epochs=1), Heard())
    moved = (run.path / WEIGHTS).rename(tmp_path / "moved.safetensors")
    with pytest.raises(TrainerError, match="trained here") as caught:
        train(replace(request_for(init={"file": str(moved)}), out=tmp_path / "next"), Heard())
    assert "--compatible-with" in caught.value.remedy
