"""A recipe with all that belongs to it, and machines as their facts tell them. No test here has an engine."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from left_for_device import Left, leave
from sfsc_deploy import building
from sfsc_deploy.runtime.engine import library, opening
from sfsc_deploy.runtime.engine.fitness import Host


@pytest.fixture
def left(tmp_path: Path) -> Left:
    """What an export leaves for an Orin."""
    return leave(tmp_path)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Host], None]:
    """Let the rules take this machine for another one: its facts only, there is nothing to run on it."""

    def put(host: Host) -> None:
        for module in (building, opening):
            monkeypatch.setattr(module, "obstacle", lambda: None)
            monkeypatch.setattr(module, "gpu", lambda: host.gpu)
            monkeypatch.setattr(module, "tensorrt", lambda: SimpleNamespace(__version__=host.tensorrt))

    return put


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where there is one."""
    monkeypatch.setattr(library, "has_gpu", lambda: False)
