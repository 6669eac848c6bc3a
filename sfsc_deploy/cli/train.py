"""`sfsc-deploy train`."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfsc_deploy.cli.console import notices, results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option

if TYPE_CHECKING:
    from sfsc_deploy.run_folder import RunFolder
    from sfsc_deploy.training import TrainRequest

IMAGES, RECIPE, RUN = "Images", "Recipe: these go before the file of --recipe", "Run"


def train(
    data: Annotated[
        Path | None,
        option(
            "DIR|FILE.csv",
            "Images to train on: Market-1501, folders train/query/gallery, a folder an identity, or a manifest.",
            default="images drawn by the program",
            panel=IMAGES,
        ),
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that can't be read.", rich_help_panel=IMAGES)
    ] = False,
    recipe: Annotated[
        Path | None, option("FILE.toml", "Settings of the training.", default="made for a small CPU", panel=RECIPE)
    ] = None,
    arch: Annotated[
        str | None, option("NAME", "Network: resnet-mini or resnet18.", default="resnet-mini", panel=RECIPE)
    ] = None,
    widths: Annotated[
        str | None, option("W,W,...", "Width of each sub-model, and 1.", default="0.25,0.5,0.75,1", panel=RECIPE)
    ] = None,
    epochs: Annotated[int | None, option("N", "Passes over the images.", default="32", panel=RECIPE)] = None,
    batch_size: Annotated[int | None, option("N", "Images in a step.", default="64", panel=RECIPE)] = None,
    image_size: Annotated[
        str | None, option("N|HxW", "Pixels of the input, as 64 or 128x64.", default="48", panel=RECIPE)
    ] = None,
    embedding_dim: Annotated[
        int | None, option("D", "Length of an embedding, whatever the width.", default="128", panel=RECIPE)
    ] = None,
    seed: Annotated[int | None, option("N", "Start of everything random.", default="0", panel=RECIPE)] = None,
    device: Annotated[
        str | None, option("NAME", "cpu, cuda, cuda:1, ...; auto: a GPU if there is one.", default="auto", panel=RECIPE)
    ] = None,
    out: Annotated[
        Path | None, option("DIR", "Run folder to make.", default="the next number under runs/", panel=RUN)
    ] = None,
    resume: Annotated[
        Path | None, option("DIR", "Go on with the interrupted run in this folder.", default="", panel=RUN)
    ] = None,
    evaluate_every: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Measure the cross-test matrix every N epochs; 0: at the end alone.",
            rich_help_panel=RUN,
        ),
    ] = 0,
    json_file: JsonFile = None,
) -> None:
    """Train a supernet whose sub-models all embed into one space.

    Ctrl-C leaves a checkpoint, with which [bold]--resume[/bold] goes on. The run folder holds weights, recipe,
    figures, curves and the probe.
    """
    from sfsc_deploy.training import TrainRequest

    if resume and out:
        raise typer.BadParameter("a resumed run stays in its folder", param_hint="--out")
    request = TrainRequest(
        data=data,
        recipe=recipe,
        overrides=_given(
            arch=arch,
            widths=_widths(widths),
            epochs=epochs,
            batch_size=batch_size,
            image_size=_image_size(image_size),
            embedding_dim=embedding_dim,
            seed=seed,
            device=device,
        ),
        out=out,
        resume=resume,
        skip_unreadable=skip_unreadable,
        evaluate_every=evaluate_every,
    )
    _tell(_run(request), json_file)


def _run(request: "TrainRequest") -> "RunFolder":
    # Read when torch is imported. By default GNU OpenMP's threads spin for long at every barrier: with anything else
    # running on the machine that took three quarters of the speed, and sparing it costs none on a quiet one.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    from sfsc_deploy.cli.training_shown import shown
    from sfsc_deploy.training.run import train as run_training

    with shown(notices()) as listener:
        return run_training(request, listener)


def _tell(run: "RunFolder", json_file: Path | None) -> None:
    from sfsc_deploy.cli.tables import evaluation_table

    evaluation = run.evaluation
    console = results(json_file)
    console.print(evaluation_table(evaluation["names"], evaluation["map"], evaluation["rank1"], "Cross-test"))
    console.print(f"The run is in {run.path}", soft_wrap=True)
    write_json({"run": run.path, "space": run.space, "evaluation": evaluation}, json_file)


def _given(**settings: object) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _widths(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(_number(part, text) for part in text.split(","))


def _number(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 0.25,0.5,1", param_hint="--widths") from None


def _image_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    size = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if size is None:
        raise typer.BadParameter(f"{text!r} is no size such as 64 or 128x64", param_hint="--image-size")
    return int(size[1]), int(size[2] or size[1])
