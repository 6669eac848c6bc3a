"""Whole runs of every method: who shares weights with whom, who is frozen when, and that runs can be resumed."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sfsc_deploy.slicing import slice_submodel
from tiny_supernet import DIM, calibrate, flat_colours, tiny_architecture, tiny_recipe
from trainer.loop import StepReport, Training
from trainer.networks import Separate, count_parameters, inherit
from trainer.supernet import Supernet

METHODS = ("sfsc", "joint", "bct", "asymmetric", "independent", "unified")
SEPARATE = ("bct", "asymmetric", "independent")


class StoppedError(Exception):
    pass


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


def training(method: str, **settings: Any) -> Training:
    return Training(tiny_recipe(method=method, **settings), flat_colours())


def run(started: Training, until: int | None = None) -> list[StepReport]:
    reports: list[StepReport] = []

    def on_step(report: StepReport) -> None:
        reports.append(report)
        if report.step == until:
            raise StoppedError

    with contextlib.suppress(StoppedError):
        started.run(on_step, lambda epoch: None)
    return reports


def weights(of: Training, width: float) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in of.networks.of(width).state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("method", METHODS)
def test_widths_share_weights_or_have_networks_of_their_own(method: str) -> None:
    networks = training(method).networks
    assert isinstance(networks, Separate if method in SEPARATE else Supernet)
    assert networks.widths == ((0.5,) if method == "unified" else (0.5, 1.0))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_what_is_trivial(method: str) -> None:
    reports = run(training(method, epochs=12))
    for width in range(len(reports[0].loss)):
        told = [report.loss[width] for report in reports if report.loss[width] is not None]
        assert sum(told[-2:]) < 0.85 * sum(told[:2])


@pytest.mark.parametrize(("method", "first"), [("bct", 0.5), ("asymmetric", 1.0)])
def test_what_was_trained_first_is_frozen_then(method: str, first: float) -> None:
    started = training(method)
    reports = run(started, until=6)  # three epochs of two steps: the first phase
    frozen, other = weights(started, first), weights(started, 1.5 - first)
    reports += run(started)
    assert same(weights(started, first), frozen)
    assert not same(weights(started, 1.5 - first), other)
    trained = [tuple(loss is not None for loss in report.loss) for report in reports]
    assert trained == [(first == 0.5, first == 1.0)] * 6 + [(first == 1.0, first == 0.5)] * 6
    assert started.epochs == 6


@pytest.mark.parametrize("method", SEPARATE)
def test_what_waits_for_its_phase_stays_as_it_was(method: str) -> None:
    started = training(method)
    before = weights(started, 0.5), weights(started, 1.0)
    run(started, until=2)
    changed = [not same(old, weights(started, width)) for old, width in zip(before, (0.5, 1.0), strict=True)]
    assert changed == {"bct": [True, False], "asymmetric": [False, True], "independent": [True, True]}[method]


def test_an_independent_width_learns_as_if_it_were_alone() -> None:
    together = training("independent")
    alone = training("joint", widths=(1.0,))
    alone.networks.load_state_dict(weights(together, 1.0))
    run(together)
    run(alone)
    assert same(weights(together, 1.0), weights(alone, 1.0))


@pytest.mark.parametrize("method", ["joint", "bct", "asymmetric"])
@pytest.mark.parametrize("step", [3, 7])
def test_a_resumed_run_ends_at_the_same_weights(tmp_path: Path, method: str, step: int) -> None:
    """In the first phase as well as in the second."""
    uninterrupted, stopped, resumed = (training(method, epochs=2) for _ in range(3))
    run(uninterrupted)
    run(stopped, until=step)
    stopped.save(tmp_path / "checkpoint.pt")
    resumed.resume(tmp_path / "checkpoint.pt")
    run(resumed)
    assert same(resumed.networks.state_dict(), uninterrupted.networks.state_dict())


def test_joint_gradients_are_the_sum() -> None:
    """As SFSC with the plain loss and one head for all; without projection and alignment."""
    halves_off = {"loss": "plain", "conflict": "none", "head": "all", "alignment": "none"}
    joint, sfsc = training("joint", epochs=1), training("sfsc", epochs=1, compatibility=halves_off)
    run(joint)
    run(sfsc)
    for name, tensor in joint.networks.state_dict().items():
        torch.testing.assert_close(tensor, sfsc.networks.state_dict()[name], rtol=1e-4, atol=1e-5)


def test_a_generation_built_alike_begins_with_the_weights_of_the_old_one() -> None:
    old, new = training("sfsc").networks, training("sfsc", seed=1).networks
    assert inherit(new, old)
    differing = {name for name, tensor in new.state_dict().items() if not torch.equal(tensor, old.state_dict()[name])}
    assert differing == {"classifier.weight"}


def sliced_sizes(method: str) -> tuple[int, int, int]:
    """What a method is counted to have, and the parameters of its narrow and its wide sub-model."""
    made = training(method).networks
    calibrate(made)
    narrow, wide = (
        sum(parameter.numel() for parameter in slice_submodel(made, width).parameters())
        for width in (made.widths[0], made.widths[-1])
    )
    return count_parameters(made), narrow, wide


def test_parameters_are_counted_as_the_sub_models_need_them() -> None:
    counted, narrow, _ = sliced_sizes("unified")
    assert counted == narrow
    counted, _, wide = sliced_sizes("joint")
    assert counted == wide
    counted, narrow, wide = sliced_sizes("bct")
    assert counted == narrow + wide
    counted, _, wide = sliced_sizes("sfsc")
    # Fused, the widest's head and norm have D numbers less; the narrow one's head has 8 features.
    assert counted == wide + DIM + 8 * DIM


def test_an_aligned_generation_hands_on_no_alignment() -> None:
    """Its maps fit what its own widths had learnt; the new ones begin with the identity."""
    old, new = training("sfsc"), training("sfsc", seed=1).networks
    run(old)
    old.align()
    assert inherit(new, old.networks)
    maps = new.state_dict()["net.alignment.maps"]
    assert torch.equal(maps, torch.eye(maps.shape[-1]).expand_as(maps))
    assert not torch.equal(old.networks.state_dict()["net.alignment.maps"], maps)


@pytest.mark.parametrize("other", [{"method": "joint", "widths": (0.25, 1.0)}, {"method": "bct"}])
def test_a_generation_built_otherwise_begins_at_random(other: dict[str, Any]) -> None:
    old, new = training("sfsc").networks, training(**other).networks
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    assert not inherit(new, old)
    assert same(new.state_dict(), before)


def test_heads_of_their_own_begin_as_the_one_that_was_shared() -> None:
    """So the runs of older versions, and of other methods, have heirs."""
    old, new = training("sfsc", compatibility={"head": "all", "alignment": "none"}).networks, training("sfsc").networks
    assert inherit(new, old)
    before, after = old.state_dict(), new.state_dict()
    for number, columns in ((0, 8), (1, 16)):
        assert torch.equal(after[f"net.head.layers.{number}.weight"], before["net.head.weight"][:, :columns])
    assert all(torch.equal(after[name], before[name]) for name in before if name.startswith("net.backbone."))
    assert not inherit(old, new)
