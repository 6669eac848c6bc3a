"""Whole training runs, from images on disk to a finished run folder."""

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("kornia", reason="training varies its images with kornia")

from PIL import Image  # noqa: E402

from image_trees import truncate  # noqa: E402
from older_run import older_recipe, older_settings  # noqa: E402
from sfsc_deploy.errors import Interrupted, SfscError  # noqa: E402
from sfsc_deploy.evaluation import Evaluation  # noqa: E402
from sfsc_deploy.probe import Probe  # noqa: E402
from sfsc_deploy.run_folder import RunFolder  # noqa: E402
from sfsc_deploy.training import Plan, Progress, TrainRequest  # noqa: E402
from sfsc_deploy.training.plan import prepare, resolve_recipe  # noqa: E402
from sfsc_deploy.training.run import train  # noqa: E402
from tiny_supernet import DIM, SIDE, tiny_architecture  # noqa: E402
from trainer.errors import TrainerError  # noqa: E402
from trainer.loop import Training  # noqa: E402

IDENTITIES, IMAGES_EACH = 8, 4
EPOCHS, STEPS = 3, 6
SETTINGS: dict[str, Any] = {
    "arch": "tiny",
    "widths": [0.5, 1.0],
    "embedding_dim": DIM,
    "image_size": SIDE,
    "epochs": EPOCHS,
    "batch_size": 16,
    "device": "cpu",
    "augmentation": {"padding": 1},
}
PROMISED = {
    "checkpoint.pt",
    "evaluation.json",
    "metrics.jsonl",
    "probe.safetensors",
    "recipe.toml",
    "supernet.safetensors",
    "training.png",
}


@dataclass
class Heard:
    """A listener that remembers, and may do something after a step."""

    after_step: Callable[[Progress], None] = lambda progress: None
    plans: list[Plan] = field(default_factory=list)
    steps: list[Progress] = field(default_factory=list)
    evaluations: dict[int, Evaluation] = field(default_factory=dict)

    def started(self, plan: Plan) -> None:
        self.plans.append(plan)

    def stepped(self, progress: Progress) -> None:
        self.steps.append(progress)
        self.after_step(progress)

    def evaluated(self, epoch: int, evaluation: Evaluation) -> None:
        self.evaluations[epoch] = evaluation


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every identity is a colour of its own under noise: eight to train on, four held out."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    held_out = range(IDENTITIES, IDENTITIES + 4)
    for split, names, count in (
        ("train", range(IDENTITIES), IMAGES_EACH),
        ("query", held_out, 1),
        ("gallery", held_out, 2),
    ):
        for name in names:
            colour = np.random.default_rng(name).integers(30, 225, 3)
            folder = root / split / f"{name:02}"
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = (colour + rng.integers(-10, 11, (SIDE, SIDE, 3))).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{split}{number}.png")
    return root


@pytest.fixture
def request_for(images: Path) -> Callable[..., TrainRequest]:
    return lambda out, **settings: TrainRequest(data=images, overrides=SETTINGS | settings, out=out)


@pytest.fixture(scope="module")
def finished(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Heard]:
    heard = Heard()
    out = tmp_path_factory.mktemp("runs") / "whole"
    return train(TrainRequest(data=images, overrides=SETTINGS, out=out, evaluate_every=2), heard), heard


def weights(folder: Path) -> bytes:
    return (folder / "supernet.safetensors").read_bytes()


def lines(folder: Path) -> list[dict[str, Any]]:
    """Of the metrics, without how long a step took: the one thing that is not repeatable."""
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert all(step.pop("seconds") > 0 for step in steps)
    return steps


def press_ctrl_c_after(step: int) -> Heard:
    def after_step(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return Heard(after_step)


def interrupted(request: TrainRequest, step: int) -> Path:
    with pytest.raises(Interrupted, match=rf"after step {step} of {STEPS}.*sfsc-deploy train --resume"):
        train(request, press_ctrl_c_after(step))
    assert request.out is not None
    return request.out


def of_older_version(folder: Path) -> Path:
    """As it was left before a run could choose all that it can today."""
    checkpoint = folder / "checkpoint.pt"
    older_recipe(folder / "recipe.toml")
    content = torch.load(checkpoint, weights_only=True)
    torch.save(content | {"recipe": older_settings(content["recipe"])}, checkpoint)
    return folder


def test_a_finished_run_has_all_that_the_folder_promises(finished: tuple[RunFolder, Heard]) -> None:
    run, _ = finished
    names = {path.name for path in run.path.iterdir()}
    assert names >= PROMISED
    assert not any(name.startswith(".") for name in names)
    assert run.networks().widths == (0.5, 1.0)
    assert Probe.load(run.probe_path).space == run.space
    assert run.facts.identities == IDENTITIES


def test_a_finished_run_is_the_latest_wherever_it_lies(
    request_for: Callable[..., TrainRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = train(request_for(tmp_path / "elsewhere", epochs=1), Heard())
    assert RunFolder.latest().path == run.path.resolve()


def test_the_evaluation_has_a_cell_for_every_pair(finished: tuple[RunFolder, Heard]) -> None:
    run, heard = finished
    evaluation = run.evaluation
    assert evaluation["widths"] == [0.5, 1.0]
    assert evaluation["queries"] == 4
    assert evaluation["gallery"] == 8
    assert np.shape(evaluation["map"]) == np.shape(evaluation["rank1"]) == (2, 2)
    assert evaluation["map"] == [list(row) for row in heard.evaluations[EPOCHS].map]


def test_the_listener_hears_plan_steps_and_evaluations(finished: tuple[RunFolder, Heard]) -> None:
    run, heard = finished
    (plan,) = heard.plans
    assert (plan.folder, plan.images, plan.identities, plan.steps) == (run.path, 32, IDENTITIES, STEPS)
    assert [progress.step for progress in heard.steps] == list(range(1, STEPS + 1))
    assert all(progress.images_per_second > 0 for progress in heard.steps)
    assert heard.steps[-1].seconds_left == 0
    assert sorted(heard.evaluations) == [2, EPOCHS]


def test_every_step_has_one_line(finished: tuple[RunFolder, Heard]) -> None:
    run, heard = finished
    assert [line["step"] for line in lines(run.path)] == list(range(1, STEPS + 1))
    assert [tuple(line["loss"]) for line in lines(run.path)] == [progress.loss for progress in heard.steps]


def test_the_recipe_of_a_run_can_be_trained_again(
    finished: tuple[RunFolder, Heard], images: Path, tmp_path: Path
) -> None:
    run, _ = finished
    again = train(TrainRequest(data=images, recipe=run.path / "recipe.toml", out=tmp_path / "again"), Heard())
    assert weights(again.path) == weights(run.path)
    assert again.space == run.space


@pytest.mark.parametrize("step", [1, 2])
def test_ctrl_c_and_resume_end_at_the_same_weights(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path, step: int
) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    folder = interrupted(request_for(tmp_path / "run"), step)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pt", "metrics.jsonl", "recipe.toml"]
    heard = Heard()
    resumed = train(TrainRequest(resume=folder), heard)
    assert heard.plans[0].steps_done == step
    assert weights(folder) == weights(finished[0].path)
    assert resumed.space == finished[0].space
    assert lines(folder) == lines(finished[0].path)


def test_a_run_of_an_older_version_goes_on_as_it_was_begun(
    request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    compatibility = {"head": "all", "alignment": "none"}
    whole = train(request_for(tmp_path / "whole", compatibility=compatibility), Heard())
    folder = of_older_version(interrupted(request_for(tmp_path / "old", compatibility=compatibility), 3))
    resumed = train(TrainRequest(resume=folder), Heard())
    assert weights(folder) == weights(whole.path)
    assert 'alignment = "none"' in (folder / "recipe.toml").read_text()
    assert resumed.recipe == whole.recipe


def test_the_recipe_of_an_older_version_is_what_was_trained_then(
    request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    recipe = of_older_version(interrupted(request_for(tmp_path / "old"), 1)) / "recipe.toml"
    assert resolve_recipe(TrainRequest(recipe=recipe)).compatibility.alignment == "none"
    asked = TrainRequest(recipe=recipe, overrides={"compatibility": {"alignment": "consensus"}})
    assert resolve_recipe(asked).compatibility.alignment == "consensus"
    by_hand = tmp_path / "own.toml"
    by_hand.write_text("[compatibility]\ndistillation = 1.0\n")
    assert resolve_recipe(TrainRequest(recipe=by_hand)).compatibility.alignment == "consensus"


@pytest.mark.parametrize("workers", [1, 2])
def test_who_decodes_the_images_does_not_change_the_weights(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path, workers: int
) -> None:
    run = train(replace(request_for(tmp_path / "run"), workers=workers), Heard())
    assert weights(run.path) == weights(finished[0].path)
    assert run.recipe == finished[0].recipe


def test_a_run_may_be_resumed_with_other_workers(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    folder = interrupted(replace(request_for(tmp_path / "run"), workers=2), 3)
    train(TrainRequest(resume=folder, workers=0), Heard())
    assert weights(folder) == weights(finished[0].path)


def test_images_lost_during_training_leave_a_checkpoint(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], images: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(images, tmp_path / "images")
    unplug = Heard(lambda progress: progress.step == 1 and (copied / "train").rename(copied / "lost"))
    request = replace(request_for(tmp_path / "run"), data=copied, workers=1)
    with pytest.raises(SfscError, match=r"train\d\.png can't be read: no such file.* after step \d of 6") as caught:
        train(request, unplug)
    assert f"sfsc-deploy train --resume {tmp_path / 'run'}" in caught.value.remedy
    (copied / "lost").rename(copied / "train")
    heard = Heard()
    train(TrainRequest(resume=tmp_path / "run"), heard)
    assert heard.plans[0].steps_done >= 1
    assert weights(tmp_path / "run") == weights(finished[0].path)


def test_steps_behind_the_checkpoint_are_written_once(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    """What a killed run leaves: more steps than its last checkpoint knows, the last one cut short."""
    folder = interrupted(request_for(tmp_path / "run"), 3)
    with (folder / "metrics.jsonl").open("a") as opened:
        opened.write(json.dumps(lines(folder)[-1] | {"step": 4}) + '\n{"step": 5, "lo')
    train(TrainRequest(resume=folder), Heard())
    assert lines(folder) == lines(finished[0].path)


def test_an_error_of_the_listener_leaves_what_was_saved(
    request_for: Callable[..., TrainRequest], finished: tuple[RunFolder, Heard], tmp_path: Path
) -> None:
    def fail(progress: Progress) -> None:
        if progress.step == 5:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(request_for(tmp_path / "run"), Heard(fail))
    train(TrainRequest(resume=tmp_path / "run"), Heard())
    assert weights(tmp_path / "run") == weights(finished[0].path)


def test_an_error_before_the_first_checkpoint_leaves_nothing_behind(
    request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    def fail(progress: Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(request_for(tmp_path / "run"), Heard(fail))
    assert list(tmp_path.iterdir()) == []


def test_queries_of_one_identity_are_refused_before_training(
    request_for: Callable[..., TrainRequest], images: Path, tmp_path: Path
) -> None:
    few = shutil.copytree(images, tmp_path / "images")
    for name in sorted(path.name for path in (few / "query").iterdir())[1:]:
        shutil.rmtree(few / "query" / name)
    with pytest.raises(SfscError, match="1 identities that a query can find"):
        train(replace(request_for(tmp_path / "run"), data=few), Heard())
    assert not (tmp_path / "run").exists()


def bad(name: str, **changed: Any) -> Any:
    return pytest.param(changed, id=name)


@pytest.mark.parametrize(("method", "epochs", "enough"), [("joint", 2, 22), ("bct", 2, 22), ("joint", 22, None)])
def test_too_few_steps_for_batch_norms_are_warned_of(
    request_for: Callable[..., TrainRequest], tmp_path: Path, method: str, epochs: int, enough: int | None
) -> None:
    """Two steps an epoch; of a method in phases, those of each phase count."""
    heard = Heard()
    train(request_for(tmp_path / "run", method=method, epochs=epochs), heard)
    warnings = heard.plans[0].warnings
    assert bool(warnings) is bool(enough)
    assert all(f"Train for {enough} epochs or more (--epochs)" in warning for warning in warnings)
    assert all(f"{2 * epochs} steps are few" in warning for warning in warnings)


@pytest.mark.parametrize(
    "changed",
    [
        bad("widths out of range", widths=[0.0, 1.0]),
        bad("widths with equal channels", widths=[0.99, 1.0]),
        bad("unknown architecture", arch="vgg"),
        bad("unknown setting", learning_rte=1),
        bad("batch of more identities than there are", batch_size=64),
        bad("no such device", device="quantum"),
    ],
)
def test_a_wrong_setting_leaves_nothing_behind(
    request_for: Callable[..., TrainRequest], tmp_path: Path, changed: dict[str, Any]
) -> None:
    with pytest.raises(TrainerError):
        train(request_for(tmp_path / "run", **changed), Heard())
    assert list(tmp_path.iterdir()) == []


def test_absent_images_leave_nothing_behind(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="nowhere"):
        train(replace(request_for(tmp_path / "run"), data=tmp_path / "nowhere"), Heard())
    assert list(tmp_path.iterdir()) == []


def test_unreadable_images_are_named_before_training_or_left_out(
    request_for: Callable[..., TrainRequest], images: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(images, tmp_path / "images")
    truncate(damaged / "train" / "03" / "train1.png")
    request = replace(request_for(tmp_path / "run", epochs=1), data=damaged)
    with pytest.raises(SfscError, match=r"train1\.png"):
        train(request, Heard())
    assert not (tmp_path / "run").exists()
    heard = Heard()
    train(replace(request, skip_unreadable=True), heard)
    assert heard.plans[0].images == IDENTITIES * IMAGES_EACH - 1


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file"), ("epochs = ", "is not TOML"), ("epochs = 0", "epochs")]
)
def test_a_recipe_file_that_cannot_be_used_is_named(
    images: Path, tmp_path: Path, content: str | None, told: str
) -> None:
    file = tmp_path / "mine.toml"
    if content:
        file.write_text(content)
    with pytest.raises((SfscError, TrainerError), match=rf"mine\.toml.*{told}"):
        train(TrainRequest(data=images, recipe=file, out=tmp_path / "run"), Heard())
    assert not (tmp_path / "run").exists()


def test_single_settings_go_before_those_of_the_file(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 5\nepochs = 1\n")
    request = replace(request_for(tmp_path / "run"), recipe=file)
    overrides = {name: value for name, value in request.overrides.items() if name != "epochs"} | {"seed": 6}
    recipe = prepare(replace(request, overrides=overrides)).recipe
    assert (recipe.seed, recipe.epochs) == (6, 1)


def test_a_folder_in_use_is_refused(
    request_for: Callable[..., TrainRequest], finished: tuple[RunFolder, Heard], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    before = weights(finished[0].path)
    for out, told in (
        (finished[0].path, "holds another run.*remove the folder.$"),
        (tmp_path / "full", "is not empty"),
        (tmp_path / "full" / "notes.txt", "is a file"),
        (tmp_path / "latest", "newest finished run"),
    ):
        with pytest.raises(SfscError, match=told):
            train(request_for(out), Heard())
    assert weights(finished[0].path) == before


def test_an_empty_folder_is_taken(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    assert prepare(request_for(tmp_path)).folder == tmp_path


def test_without_a_folder_runs_are_numbered(
    request_for: Callable[..., TrainRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = prepare(request_for(None)).folder
    (tmp_path / first).mkdir(parents=True)
    second = prepare(request_for(None)).folder
    assert [(folder.parent, folder.name[-2:]) for folder in (first, second)] == [
        (Path("runs"), "-1"),
        (Path("runs"), "-2"),
    ]


def test_a_finished_run_has_nothing_to_resume(finished: tuple[RunFolder, Heard]) -> None:
    with pytest.raises(SfscError, match="has finished: there is nothing to resume"):
        train(TrainRequest(resume=finished[0].path), Heard())


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="is not a run folder"):
        train(TrainRequest(resume=tmp_path), Heard())


def test_a_run_is_not_resumed_with_other_settings(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    folder = interrupted(request_for(tmp_path / "run"), 1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(TrainerError, match=r"differ in seed \(checkpoint 0, now 1\)"):
        train(TrainRequest(resume=folder, overrides={"seed": 1}), Heard())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_is_not_resumed_with_other_images(
    request_for: Callable[..., TrainRequest], images: Path, tmp_path: Path
) -> None:
    folder = interrupted(request_for(tmp_path / "run"), 1)
    fewer = shutil.copytree(images, tmp_path / "fewer", ignore=shutil.ignore_patterns("train3.png"))
    with pytest.raises(TrainerError, match="other images"):
        train(TrainRequest(resume=folder, data=fewer), Heard())


def test_a_run_is_not_resumed_without_its_checkpoint(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    folder = interrupted(request_for(tmp_path / "run"), 1)
    checkpoint = folder / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(TrainerError, match=r"checkpoint\.pt can't be read"):
        train(TrainRequest(resume=folder), Heard())
    checkpoint.unlink()
    with pytest.raises(SfscError, match=r"has no checkpoint\.pt"):
        train(TrainRequest(resume=folder), Heard())


def test_a_single_setting_of_a_table_leaves_the_others_of_the_recipe(images: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[compatibility]\nkl_weight = 0.25\nconflict = 'none'\n")
    overrides = SETTINGS | {"compatibility": {"conflict": "zero-padded"}}
    prepared = prepare(TrainRequest(data=images, recipe=recipe, overrides=overrides, out=tmp_path / "run"))
    settings = prepared.recipe.compatibility
    assert (settings.kl_weight, settings.conflict) == (0.25, "zero-padded")


def test_a_new_generation_fits_an_old_one_and_remembers_which(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    old = finished[0]
    fitting = train(replace(request_for(tmp_path / "new", seed=1), compatible_with=old.path), Heard())
    free = train(request_for(tmp_path / "free", seed=1), Heard())
    generation = fitting.facts.compatible_with
    assert generation is not None
    assert (generation.run, generation.space) == (str(old.path.resolve()), old.space)
    assert free.facts.compatible_with is None
    assert len({fitting.space, free.space, old.space}) == 3


def test_a_resumed_run_still_fits_the_old_generation(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    old = finished[0].path
    whole = train(replace(request_for(tmp_path / "whole", seed=1), compatible_with=old), Heard())
    folder = interrupted(replace(request_for(tmp_path / "parts", seed=1), compatible_with=old), 2)
    assert weights(train(TrainRequest(resume=folder), Heard()).path) == weights(whole.path)


def test_an_old_generation_of_another_dimension_is_refused(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    request = replace(request_for(tmp_path / "new", embedding_dim=DIM + 1), compatible_with=finished[0].path)
    with pytest.raises(SfscError, match=f"embeddings of {DIM} numbers, the new run .*--embedding-dim {DIM}"):
        train(request, Heard())


def test_a_run_is_not_resumed_for_another_old_generation(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(finished[0].path, old)
    folder = interrupted(replace(request_for(tmp_path / "parts", seed=1), compatible_with=old), 2)
    shutil.rmtree(old)
    train(request_for(old, seed=5), Heard())
    with pytest.raises(SfscError, match=r"isn't the run any more that .*parts was begun to be compatible with"):
        train(TrainRequest(resume=folder), Heard())


def test_what_is_measured_on_the_way_is_aligned(
    request_for: Callable[..., TrainRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its end will be: unaligned, widths that learn apart would look as if they would never fit."""
    happened: list[str] = []
    align = Training.align
    monkeypatch.setattr(Training, "align", lambda training: happened.append("aligned") or align(training))
    heard = Heard()
    monkeypatch.setattr(heard, "evaluated", lambda epoch, found: happened.append(f"measured {epoch}"))
    train(replace(request_for(tmp_path / "run"), evaluate_every=1), heard)
    assert happened == [part for epoch in range(1, EPOCHS + 1) for part in ("aligned", f"measured {epoch}")]


def test_a_run_that_is_stopped_while_it_is_aligned_goes_on_to_the_same_end(
    finished: tuple[RunFolder, Heard],
    request_for: Callable[..., TrainRequest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Training, "align", lambda training: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(Interrupted, match=r"after the last step.*sfsc-deploy train --resume"):
            train(request_for(tmp_path / "run"), Heard())
    train(TrainRequest(resume=tmp_path / "run"), Heard())
    assert weights(tmp_path / "run") == weights(finished[0].path)


def test_whether_a_generation_begins_with_the_old_weights_is_told(
    finished: tuple[RunFolder, Heard], request_for: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    alike, other = Heard(), Heard()
    run = train(replace(request_for(tmp_path / "alike", seed=1), compatible_with=finished[0].path), alike)
    train(replace(request_for(tmp_path / "other", widths=[0.25, 1.0]), compatible_with=finished[0].path), other)
    assert (alike.plans[0].inherits, other.plans[0].inherits) == (finished[0].path, None)
    assert run.facts.compatible_with is not None
    assert run.facts.compatible_with.weights
    assert not any("random weights" in warning for warning in alike.plans[0].warnings)
    assert any("begin with random weights" in warning for warning in other.plans[0].warnings)


def test_other_weights_to_begin_with_replace_the_digest_of_the_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[init]\nfile = 'a.pth'\nsha256 = '" + "0" * 64 + "'\n")
    (tmp_path / "b.pth").write_bytes(b"weights")
    request = TrainRequest(recipe=recipe, overrides={"init": {"file": str(tmp_path / "b.pth")}})
    init = resolve_recipe(request).init
    assert init is not None
    assert init.sha256 == hashlib.sha256(b"weights").hexdigest()
