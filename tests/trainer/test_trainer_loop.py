"""Whole training runs of a few steps."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tiny_supernet import flat_colours, tiny_architecture, tiny_recipe
from trainer import checkpoint
from trainer.errors import TrainerError
from trainer.images import LabelledImages
from trainer.loop import StepReport, Training, resolve_device


class StoppedError(Exception):
    pass


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


def training(images: LabelledImages | None = None, **settings: Any) -> Training:
    return Training(tiny_recipe(**settings), images or flat_colours())


def finish(run: Training, on_step: Callable[[StepReport], None] = lambda report: None) -> dict[str, Tensor]:
    run.run(on_step, lambda epoch: None)
    return run.networks.state_dict()


def stop_after(step: int) -> Callable[[StepReport], None]:
    def on_step(report: StepReport) -> None:
        if report.step == step:
            raise StoppedError

    return on_step


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_reports_every_step_and_epoch_once() -> None:
    run, heard = training(), []
    run.run(lambda report: heard.append((report.step, report.epoch)), lambda epoch: heard.append(("epoch", epoch)))
    first, second, third = [(1, 1), (2, 1)], [(3, 2), (4, 2)], [(5, 3), (6, 3)]
    assert heard == [*first, ("epoch", 1), *second, ("epoch", 2), *third, ("epoch", 3)]
    assert run.steps == run.steps_done == 6


def test_a_report_has_a_figure_for_every_width() -> None:
    reports: list[StepReport] = []
    finish(training(widths=(0.25, 0.5, 1.0)), reports.append)
    for report in reports:
        assert len(report.loss) == len(report.uncertainty) == 3
        assert np.isfinite(report.loss).all()
        assert all(0 < uncertainty <= 1 for uncertainty in report.uncertainty)
        assert 0 <= report.conflicting <= 1
        assert report.learning_rate > 0


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_resumed_run_ends_at_the_same_weights(tmp_path: Path, step: int) -> None:
    """Within an epoch (1, 3, 5) as well as at the end of one (2)."""
    uninterrupted = finish(training())
    stopped = training()
    with pytest.raises(StoppedError):
        finish(stopped, stop_after(step))
    stopped.save(tmp_path / "checkpoint.pt")
    resumed = training()
    resumed.resume(tmp_path / "checkpoint.pt")
    assert resumed.steps_done == step
    assert same(finish(resumed), uninterrupted)


def test_a_finished_run_stays_as_it_is_when_resumed(tmp_path: Path) -> None:
    run = training()
    ended = finish(run)
    run.save(tmp_path / "checkpoint.pt")
    resumed = training()
    resumed.resume(tmp_path / "checkpoint.pt")
    assert same(finish(resumed), ended)


def test_the_seed_decides_all() -> None:
    torch.manual_seed(1)
    first = finish(training(seed=3))
    torch.manual_seed(2)
    assert same(finish(training(seed=3)), first)
    assert not same(finish(training(seed=4)), first)


def test_disturbing_the_global_generator_changes_nothing() -> None:
    calm = finish(training())
    assert same(finish(training(), lambda report: torch.manual_seed(report.step) and None), calm)


@pytest.mark.parametrize("loss", ["uncertainty", "plain"])
@pytest.mark.parametrize("conflict", ["none", "zero-padded", "shared"])
def test_training_learns_what_is_trivial(loss: str, conflict: str) -> None:
    settings = {"loss": loss, "conflict": conflict}
    losses: list[tuple[float, ...]] = []
    finish(training(compatibility=settings, epochs=12), lambda report: losses.append(report.loss))
    first, last = (np.mean(part, axis=0) for part in (losses[:2], losses[-2:]))
    assert (last < 0.8 * first).all()


def test_the_extent_of_projection_changes_what_is_learnt() -> None:
    ended = [finish(training(compatibility={"conflict": extent})) for extent in ("none", "zero-padded", "shared")]
    assert not any(same(*pair) for pair in combinations(ended, 2))


def test_a_run_that_diverges_is_stopped() -> None:
    with pytest.raises(TrainerError, match=r"diverged at step \d of 6: the loss is nan at width .*lower learning_rate"):
        finish(training(learning_rate=1e38))


def test_fewer_identities_than_a_batch_holds_are_refused() -> None:
    with pytest.raises(
        TrainerError, match=r"holds 4 identities .* has 3 identities\. Lower --batch-size to at most 12"
    ):
        training(flat_colours(identities=3))


def test_a_checkpoint_of_other_images_is_refused(tmp_path: Path) -> None:
    training().save(tmp_path / "checkpoint.pt")
    with pytest.raises(TrainerError, match="other images"):
        training(flat_colours(seed=1)).resume(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("part", ["supernet", "optimiser"])
@pytest.mark.parametrize("held", [None, 3, {}, {"param_groups": [{}], "state": []}])
def test_a_checkpoint_without_the_state_of_its_recipe_is_refused(tmp_path: Path, part: str, held: Any) -> None:
    run, file = training(), tmp_path / "checkpoint.pt"
    run.save(file)
    _, state = checkpoint.load(file, recipe=run.recipe, images=run.images.digest)
    content = {"recipe": run.recipe, "images": run.images.digest, "step": 2, "state": state | {part: held}}
    checkpoint.save(file, **content)
    with pytest.raises(TrainerError, match="holds no state of this recipe"):
        training().resume(file)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    training().save(tmp_path / "checkpoint.pt")
    with pytest.raises(TrainerError, match=r"differ in seed \(checkpoint 0, now 1\)"):
        training(seed=1).resume(tmp_path / "checkpoint.pt")


def test_images_are_told_apart_by_pixels_shape_and_identities() -> None:
    images = flat_colours()
    variants = [
        images,
        replace(images, pixels=images.pixels.reshape(len(images.pixels), 8, 32, 3)),
        replace(images, pixels=images.pixels[:, ::-1]),
        replace(images, identity=images.identity[::-1]),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)
    assert flat_colours().digest == images.digest


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(TrainerError, match=r"Device 'quantum' can't be used: .*Set --device auto or cpu"):
        resolve_device("quantum")
