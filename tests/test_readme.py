"""Every command of the README does what the README says, on a small data set."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the README begins with training")
pytest.importorskip("onnxscript", reason="torch writes ONNX by way of onnxscript")
pytest.importorskip("onnxruntime", reason="runs what was exported")

from image_trees import write_tree
from sfsc_deploy.cli.app import app

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BRIEFLY = ["--epochs", "1", "--image-size", "16", "--batch-size", "8"]
QUICK = {"train": BRIEFLY, "compare": BRIEFLY}
"""Added to a command, so that a test of it takes seconds."""
STAND_FOR = {"a": "server-cpu", "b": "jetson-orin"}
"""The artifacts that the README calls a and b."""
BESIDES = {"sfsc-deploy export --profile jetson-orin": " --profile server-cpu"}
"""What has to be there as well for what follows."""
STATUS = {
    # What needs a device that isn't here is told as such, and a run that has finished can't be resumed.
    "sfsc-deploy verify-compat a.onnx b.engine": 3,
    "sfsc-deploy train --resume runs/photos": 2,
    "sfsc-deploy embed b.engine --out b.safetensors": 2,
    "sfsc-deploy verify-compat a.onnx b.safetensors": 2,
}


def commands(program: str) -> list[str]:
    """The command lines of a program in the README, in their order, without remarks."""
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line.startswith(program)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with photographs, in which the commands are typed one after the other."""
    desk = tmp_path_factory.mktemp("desk")
    names = [f"{i:04}_c{camera}s1_{shot:06}_00.jpg" for i in range(1, 11) for camera in (1, 2) for shot in (1, 2, 3)]
    write_tree(desk / "photos", [f"train/{name[:4]}/{name}" for name in names])
    write_tree(desk / "photos", [f"query/{name[:4]}/{name}" for name in names if "_c1" in name])
    write_tree(desk / "photos", [f"gallery/{name[:4]}/{name}" for name in names if "_c2" in name])
    before = Path.cwd()
    os.chdir(desk)
    yield desk
    os.chdir(before)


def typed(line: str) -> tuple[int, str]:
    for letter, profile in STAND_FOR.items():
        line = re.sub(rf"\b{letter}\.", f"dist/{profile}.", line)
    _, command, *arguments = shlex.split(line)
    answer = CliRunner().invoke(app, [command, *arguments, *QUICK.get(command, [])])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, answer.stdout + answer.stderr


@pytest.mark.slow
def test_every_command_of_the_readme_can_be_typed(desk: Path) -> None:
    lines = commands("sfsc-deploy")
    assert len(lines) >= 10
    for line in lines:
        status, told = typed(line + BESIDES.get(line, ""))
        allowed = {0, 1, 3} if "verify-compat" in line else {0}
        assert status in ({STATUS[line]} if line in STATUS else allowed), f"{line}\n{told}"


def test_every_target_of_the_readme_exists() -> None:
    lines = commands("make")
    assert {"make demo", "make test"} <= set(lines)
    for line in lines:
        made = subprocess.run([*shlex.split(line), "--dry-run"], cwd=CHECKOUT, capture_output=True, check=False)
        assert made.returncode == 0, made.stderr


def test_nothing_is_left_to_be_filled_in() -> None:
    assert not re.findall(r"@[A-Z_]+@", README)


def test_every_link_into_the_project_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert [link for link in links if not (CHECKOUT / link).exists()] == []
