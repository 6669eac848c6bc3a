"""Timings of an earlier build: whatever is in their file, the engine is built. The builder here is a stand-in."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner

from left_for_device import ORIN, Left
from sfsc_deploy import building
from sfsc_deploy.building import BuildTask, build
from sfsc_deploy.cli.app import app
from sfsc_deploy.runtime.engine.build import Compatibility, Plan, build_plan
from sfsc_deploy.runtime.engine.fitness import Host


def tensorrt(config: MagicMock) -> Any:
    """As much of TensorRT as a build asks for; it measures nothing."""
    builder, parser = MagicMock(), MagicMock()
    builder.create_builder_config.return_value = config
    builder.build_serialized_network.return_value = b"an engine"
    config.add_optimization_profile.return_value = 0
    config.get_timing_cache.return_value = None
    flags = SimpleNamespace(STRONGLY_TYPED=1)
    logger = type("ILogger", (), {"ERROR": 1, "INTERNAL_ERROR": 0})
    return MagicMock(
        Builder=lambda _: builder, OnnxParser=lambda *_: parser, NetworkDefinitionCreationFlag=flags, ILogger=logger
    )


def refuses_to_read(content: bytes) -> object:
    if content:
        raise RuntimeError("Failed to deserialize the timing cache")
    return "an empty cache"


@pytest.mark.parametrize(
    ("reads", "fits", "used"),
    [
        pytest.param(lambda content: content or "an empty cache", True, True, id="of this device"),
        pytest.param(lambda content: content or "an empty cache", False, False, id="of another device"),
        pytest.param(lambda content: None, True, False, id="no cache"),
        pytest.param(refuses_to_read, True, False, id="damaged"),
    ],
)
def test_an_engine_is_built_whatever_the_timings_are(
    left: Left, reads: Callable[[bytes], object], fits: bool, used: bool
) -> None:
    config = MagicMock()
    config.create_timing_cache.side_effect = reads
    config.set_timing_cache.return_value = fits
    plan = build_plan(tensorrt(config), b"onnx", left.read(), Compatibility(), b"timings")
    assert plan == Plan(b"an engine", b"", used)


@pytest.fixture
def on_orin(on: Callable[[Host], None], monkeypatch: pytest.MonkeyPatch) -> None:
    on(Host("10.3.0", ORIN))

    def stand_in(trt: object, onnx: bytes, recipe: object, compatibility: object, timings: bytes) -> Plan:
        return Plan(b"an engine", b"new timings", timings_used=timings == b"timings")

    monkeypatch.setattr(building, "build_plan", stand_in)


@pytest.mark.usefixtures("on_orin")
def test_timings_that_were_not_used_are_told_and_replaced(left: Left) -> None:
    timings = left.engine.with_suffix(".timing.cache")
    assert build(BuildTask(left.recipe)).remarks == ()
    timings.write_bytes(b"timings")
    assert build(BuildTask(left.recipe, overwrite=True)).remarks == ()
    timings.write_bytes(b"damaged")
    (remark,) = build(BuildTask(left.recipe, overwrite=True)).remarks
    assert f"{timings} was not used: it is damaged" in remark
    assert timings.read_bytes() == b"new timings"


@pytest.mark.usefixtures("on_orin")
def test_timings_that_can_be_neither_read_nor_written_do_not_stop_a_build(left: Left) -> None:
    left.engine.with_suffix(".timing.cache").mkdir()
    answer = CliRunner().invoke(app, ["build", str(left.recipe)])
    assert answer.exit_code == 0, answer.output
    assert "was not used" in answer.stderr
    assert "couldn't be written" in answer.stderr
    assert left.engine.read_bytes() == b"an engine"
