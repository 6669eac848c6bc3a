"""`sfsc-deploy compare`: what each method of training gives on the user's own images."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfsc_deploy.cli.console import notices, results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option
from sfsc_deploy.cli.recipe_options import given, height_and_width, width_list

if TYPE_CHECKING:
    from sfsc_deploy.comparing.comparison import Comparison

IMAGES, CONTENDERS, RECIPE, OUTPUT = "Images", "What is compared", "Recipe, the same for all", "Output"
MARKDOWN, PICTURE, JSON = "comparison.md", "comparison.png", "comparison.json"


def compare(
    data: Annotated[
        Path | None,
        option("DIR|FILE.csv", "Images, as for train.", default="images drawn by the program", panel=IMAGES),
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that can't be read.", rich_help_panel=IMAGES)
    ] = False,
    methods: Annotated[
        str | None,
        option(
            "NAME,NAME,...",
            "Of sfsc, sfsc-paper, sfsc-magnitude, sfsc-direction, joint, bct, asymmetric, independent, unified.",
            default="all",
            panel=CONTENDERS,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Runs of each method.", rich_help_panel=CONTENDERS)
    ] = 3,
    recipe: Annotated[
        Path | None, option("FILE.toml", "Settings of the training.", default="made for a small CPU", panel=RECIPE)
    ] = None,
    arch: Annotated[str | None, option("NAME", "Network, as for train.", default="resnet-mini", panel=RECIPE)] = None,
    widths: Annotated[
        str | None, option("W,W,...", "Width of each sub-model, and 1.", default="0.25,0.5,0.75,1", panel=RECIPE)
    ] = None,
    epochs: Annotated[
        int | None, option("N", "Passes over the images for every model.", default="32", panel=RECIPE)
    ] = (None),
    batch_size: Annotated[int | None, option("N", "Images in a step.", default="64", panel=RECIPE)] = None,
    image_size: Annotated[
        str | None, option("N|HxW", "Pixels of the input, as 64 or 128x64.", default="48", panel=RECIPE)
    ] = None,
    device: Annotated[
        str | None, option("NAME", "cpu, cuda, cuda:1, ...; auto: a GPU if there is one.", default="auto", panel=RECIPE)
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of all runs and of the result, which is replaced.", rich_help_panel=OUTPUT
        ),
    ] = Path("comparison"),
    json_file: JsonFile = None,
) -> None:
    """Train methods under one budget and compare what they give, on your images.

    A table and a picture: the cross-test matrix of each method, its mean, violations of the compatibility criterion,
    parameters, training time. Ctrl-C stops it; the same command goes on, also with more methods or seeds.
    """
    from sfsc_deploy.comparing import CONTENDERS as KNOWN
    from sfsc_deploy.comparing import CompareRequest, contenders

    request = CompareRequest(
        contenders=contenders(list(KNOWN) if methods is None else methods.split(",")),
        out=out,
        data=data,
        seeds=seeds,
        recipe=recipe,
        overrides=given(
            arch=arch,
            widths=width_list(widths),
            epochs=epochs,
            batch_size=batch_size,
            image_size=height_and_width(image_size),
            device=device,
        ),
        skip_unreadable=skip_unreadable,
    )
    # As for train: see there.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    from sfsc_deploy.cli.comparison_shown import ComparisonShown
    from sfsc_deploy.comparing.run import compare as run_comparison

    with ComparisonShown(notices()) as listener:
        comparison = run_comparison(request, listener)
    _write(comparison, out)
    _tell(comparison, out, json_file)
    write_json(comparison.to_json(), json_file)


def _write(comparison: "Comparison", out: Path) -> None:
    from sfsc_deploy.comparing.picture import draw
    from sfsc_deploy.comparing.table import markdown
    from sfsc_deploy.files import write_text

    draw(out / PICTURE, comparison)
    write_text(out / MARKDOWN, markdown(comparison, PICTURE))
    write_json(comparison.to_json(), out / JSON)


def _tell(comparison: "Comparison", out: Path, json_file: Path | None) -> None:
    from rich.table import Table

    from sfsc_deploy.comparing.table import COLUMNS, NOTE, rows, title

    table = Table(title=title(comparison), title_justify="left", caption=NOTE, caption_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for row in rows(comparison):
        table.add_row(*row)
    console = results(json_file)
    console.print(table)
    console.print(f"The comparison is in {out / MARKDOWN}, {PICTURE} and {JSON} beside it", soft_wrap=True)
