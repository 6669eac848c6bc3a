"""`sfsc-deploy train`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfsc_deploy.cli.console import notices, results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option
from sfsc_deploy.cli.recipe_options import given, height_and_width, width_list

if TYPE_CHECKING:
    from sfsc_deploy.run_folder import RunFolder
    from sfsc_deploy.training import Plan, TrainRequest

IMAGES, RECIPE, RUN = "Images", "Recipe: these go before the file of --recipe", "Run"


def train(
    data: Annotated[
        Path | None,
        option(
            "DIR|FILE.csv",
            "Images to train on: Market-1501, MSMT17, VeRi-776, folders train/query/gallery, a folder an identity, "
            "or a manifest.",
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
    method: Annotated[
        str | None,
        option("NAME", "sfsc, joint, bct, asymmetric, independent or unified.", default="sfsc", panel=RECIPE),
    ] = None,
    loss: Annotated[
        str | None,
        option("NAME", "Of the widest: softmax, arcface, cosface, triplet, circle.", default="softmax", panel=RECIPE),
    ] = None,
    compatible_loss: Annotated[
        str | None,
        option("NAME", "Of the narrower ones: uncertainty or plain.", default="uncertainty", panel=RECIPE),
    ] = None,
    conflict: Annotated[
        str | None,
        option("NAME", "Projection of gradients: none, zero-padded, shared.", default="shared", panel=RECIPE),
    ] = None,
    arch: Annotated[
        str | None,
        option(
            "NAME",
            "Network: resnet-mini, resnet18, resnet34, resnet50, resnet101, mobilenetv2, vit-s or vit-b.",
            default="resnet-mini",
            panel=RECIPE,
        ),
    ] = None,
    init: Annotated[
        Path | None,
        option("FILE", "Begin with weights of torchvision or timm: .safetensors or .pth.", default="", panel=RECIPE),
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
    compatible_with: Annotated[
        Path | None,
        option("RUN", "An older run in whose galleries the new sub-models must still find.", default="none", panel=RUN),
    ] = None,
    resume: Annotated[
        Path | None, option("DIR", "Go on with the interrupted run in this folder.", default="", panel=RUN)
    ] = None,
    workers: Annotated[
        int | None,
        option(
            "N",
            "Threads that decode images during training, for sets larger than memory; 0: all are decoded before. "
            "The result is the same.",
            default="0 up to 1 GiB of decoded images, else one a core",
            panel=RUN,
            least=0,
        ),
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

    if resume and compatible_with:
        raise typer.BadParameter("a resumed run fits what it was begun for", param_hint="--compatible-with")
    if resume and out:
        raise typer.BadParameter("a resumed run stays in its folder", param_hint="--out")
    if resume and init:
        raise typer.BadParameter("a resumed run goes on with the weights of its checkpoint", param_hint="--init")
    request = TrainRequest(
        data=data,
        recipe=recipe,
        overrides=given(
            method=method,
            loss=loss,
            compatibility=given(loss=compatible_loss, conflict=conflict) or None,
            arch=arch,
            init=None if init is None else {"file": str(init)},
            widths=width_list(widths),
            epochs=epochs,
            batch_size=batch_size,
            image_size=height_and_width(image_size),
            embedding_dim=embedding_dim,
            seed=seed,
            device=device,
        ),
        out=out,
        compatible_with=compatible_with,
        resume=resume,
        skip_unreadable=skip_unreadable,
        workers=workers,
        evaluate_every=evaluate_every,
    )
    _tell(*_run(request), json_file)


def _run(request: "TrainRequest") -> "tuple[RunFolder, Plan]":
    # Read when torch is imported. By default GNU OpenMP's threads spin for long at every barrier: with anything else
    # running on the machine that took three quarters of the speed, and sparing it costs none on a quiet one.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    from sfsc_deploy.cli.training_shown import shown
    from sfsc_deploy.training.run import train as run_training

    with shown(notices()) as listener:
        run = run_training(request, listener)
    assert listener.plan is not None
    return run, listener.plan


def _tell(run: "RunFolder", plan: "Plan", json_file: Path | None) -> None:
    from sfsc_deploy.cli.tables import evaluation_table
    from sfsc_deploy.cli.training_shown import show_warnings

    evaluation = run.evaluation
    console = results(json_file)
    console.print(evaluation_table(evaluation["names"], evaluation["map"], evaluation["rank1"], "Cross-test"))
    # Again, beside the figures that they explain.
    show_warnings(plan, notices())
    console.print(f"The run is in {run.path}", soft_wrap=True)
    found = {"run": run.path, "space": run.space, "evaluation": evaluation}
    write_json(found | {"initial": plan.initial, "warnings": plan.warnings}, json_file)
