"""What `sfsc-deploy train` makes of its options."""

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sfsc_deploy.cli import train
from sfsc_deploy.cli.app import app
from sfsc_deploy.cli.training_shown import describe, shown
from sfsc_deploy.training import Plan, Progress, TrainRequest
from trainer.recipe import Compatibility, Recipe

EVALUATION = {"names": ["0.5", "1"], "map": [[0.6, 0.61], [0.62, 0.7]], "rank1": [[0.7, 0.7], [0.7, 0.8]]}


def plan(**changed: Any) -> Plan:
    return replace(
        Plan(
            folder=Path("runs/a"),
            data="drawn",
            images=100,
            identities=10,
            skipped=0,
            arch="resnet-mini",
            widths=(0.5, 1.0),
            parameters=700_000,
            device="cpu",
            epochs=2,
            steps=10,
            steps_done=0,
        ),
        **changed,
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[TrainRequest]:
    """The requests that reach training, which isn't run."""
    requests: list[TrainRequest] = []

    def run(request: TrainRequest) -> Any:
        requests.append(request)
        return SimpleNamespace(path=Path("runs/a"), space="0" * 64, evaluation=EVALUATION), plan(
            warnings=("Few steps.",)
        )

    monkeypatch.setattr(train, "_run", run)
    return requests


def sfsc_deploy(*arguments: str) -> str:
    answer = CliRunner().invoke(app, ["train", *arguments])
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_without_arguments_everything_is_left_to_the_recipe(asked: list[TrainRequest]) -> None:
    sfsc_deploy()
    assert asked == [TrainRequest()]


def test_every_option_arrives(asked: list[TrainRequest]) -> None:
    sfsc_deploy(
        *("--data", "images", "--recipe", "mine.toml", "--arch", "resnet18"),
        *("--init", "weights.pth", "--widths", "0.5,1", "--epochs", "3"),
        *("--batch-size", "32", "--image-size", "128x64", "--embedding-dim", "64", "--seed", "7", "--device", "cpu"),
        *("--out", "runs/b", "--skip-unreadable", "--evaluate-every", "2", "--workers", "3"),
        *("--method", "joint", "--loss", "circle", "--conflict", "none", "--compatible-loss", "plain"),
    )
    overrides = {
        "method": "joint",
        "loss": "circle",
        "compatibility": {"conflict": "none", "loss": "plain"},
        "arch": "resnet18",
        "init": {"file": "weights.pth"},
        "widths": (0.5, 1.0),
        "epochs": 3,
        "batch_size": 32,
        "image_size": (128, 64),
        "embedding_dim": 64,
        "seed": 7,
        "device": "cpu",
    }
    assert asked == [
        TrainRequest(
            data=Path("images"),
            recipe=Path("mine.toml"),
            overrides=overrides,
            out=Path("runs/b"),
            skip_unreadable=True,
            workers=3,
            evaluate_every=2,
        )
    ]
    assert set(overrides) <= set(Recipe.model_fields)


def test_a_single_image_size_is_a_square(asked: list[TrainRequest]) -> None:
    sfsc_deploy("--image-size", "64")
    assert asked[0].overrides == {"image_size": (64, 64)}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--widths", "0.5,wide"],
        ["--image-size", "64x"],
        ["--image-size", "big"],
        ["--epochs", "many"],
        ["--workers", "-1"],
        ["--resume", "runs/a", "--out", "runs/b"],
        ["--resume", "runs/a", "--init", "weights.pth"],
    ],
)
def test_wrong_use_names_the_option(arguments: list[str], asked: list[TrainRequest]) -> None:
    answer = CliRunner().invoke(app, ["train", *arguments])
    assert answer.exit_code == 2
    assert arguments[-2] in answer.stderr
    assert not asked


def test_the_defaults_in_the_help_are_those_of_the_recipe() -> None:
    shown_help = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).stdout
    recipe = Recipe()
    said = {
        "--arch": recipe.arch,
        "--widths": ",".join(f"{width:g}" for width in recipe.widths),
        "--epochs": str(recipe.epochs),
        "--batch-size": str(recipe.batch_size),
        "--image-size": str(recipe.image_size[0]),
        "--embedding-dim": str(recipe.embedding_dim),
        "--seed": str(recipe.seed),
        "--device": recipe.device,
    }
    lines = shown_help.splitlines()
    for option, default in said.items():
        line = next(line for line in lines if f"{option} " in line)
        assert f"[default: {default}]" in line


def test_the_help_names_every_choice() -> None:
    shown_help = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "300"}).stdout
    settings = (Recipe.model_fields[name] for name in ("method", "loss"))
    halves = (Compatibility.model_fields[name] for name in ("loss", "conflict"))
    for choice in (choice for setting in (*settings, *halves) for choice in get_args(setting.annotation)):
        assert choice in shown_help


def test_the_help_names_every_architecture() -> None:
    pytest.importorskip("torch", reason="architectures are made of torch modules")
    from trainer.architectures import ARCHITECTURES

    shown_help = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "80"}).stdout
    words = " ".join(re.findall(r"[\w-]+", shown_help))
    assert f"Network {' '.join(ARCHITECTURES)}".rpartition(" ")[0] in words.replace(" or ", " ")


def test_the_matrix_and_the_folder_are_told(asked: list[TrainRequest]) -> None:
    told = sfsc_deploy()
    assert "60.0 / 70.0" in told
    assert "runs/a" in told


def test_a_warning_stands_beside_the_figures(asked: list[TrainRequest]) -> None:
    assert "Warning: Few steps." in CliRunner().invoke(app, ["train"]).stderr


def test_json_holds_run_space_and_evaluation(asked: list[TrainRequest]) -> None:
    document = json.loads(sfsc_deploy("--json", "-"))
    told = {"space": "0" * 64, "evaluation": EVALUATION, "initial": None, "warnings": ["Few steps."]}
    assert document == {"run": str(Path("runs/a"))} | told


def progress(step: int) -> Progress:
    return Progress(
        step=step,
        steps=10,
        epoch=1,
        epochs=2,
        loss=(2.5, 1.25),
        uncertainty=(0.9, 0.75),
        conflicting=0.05,
        images_per_second=812.3,
        seconds_left=65.2,
    )


def test_a_step_is_described_in_one_line() -> None:
    assert describe(progress(1)) == (
        "epoch 1/2 | loss 2.50 1.25 | u 0.900 0.750 | conflicts 5 % | 812 images/s | 0:01:05 left"
    )


def test_what_a_run_shows() -> None:
    console = Console(file=(text := StringIO()), width=160)
    evaluation: Any = SimpleNamespace(**EVALUATION)
    with shown(console) as listener:
        listener.started(plan(skipped=3, steps_done=4))
        listener.stepped(progress(5))
        listener.evaluated(1, evaluation)
        listener.evaluated(2, evaluation)
    told = text.getvalue()
    assert "resnet-mini: widths 0.5, 1, 0.70 M parameters, on cpu" in told
    assert "drawn: 100 images of 10 identities" in told
    assert "Warning: Few" not in told
    assert "3 images that can't be read are left out" in told
    assert "Going on after step 4 of 10" in told
    assert "Training 5/10 epoch 1/2" in told
    assert told.count("Cross-test after epoch") == 1
