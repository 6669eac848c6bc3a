"""`sfsc-deploy export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfsc_deploy.cli.console import notices, results
from sfsc_deploy.cli.export_shown import facts, show_export
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option

if TYPE_CHECKING:
    from sfsc_deploy.exporting import Exported, ExportTask, Unavailable

    Outcome = Exported | Unavailable

DEVICES, MODEL, FILES = "Devices", "Sub-model", "Files"


def export(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN", help="Run folder. [dim]\\[default: the latest under runs/][/dim]", show_default=False
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        option(
            "NAME|FILE.toml",
            "Device to export for, as `profiles list` names it; may be given several times.",
            default="",
            panel=DEVICES,
            flag="--profile",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Every shipped profile whose format can be written.", rich_help_panel=DEVICES),
    ] = False,
    width: Annotated[
        float | None,
        option(
            "W",
            "Another than the trained widths is recalibrated on images.",
            default="the widest trained one that the device affords",
            panel=MODEL,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        option(
            "NAME",
            "float32, float16, int8, or auto: the quickest that keeps the artifact compatible.",
            default="the profile's",
            panel=MODEL,
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        option(
            "DIR",
            "Images that tell int8 its ranges, and untrained widths their statistics: a labelled data set or any "
            "folder of images.",
            default="the run's training images",
            panel=MODEL,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the artifacts are written.", rich_help_panel=FILES)
    ] = Path("dist"),
    probe: Annotated[
        Path | None,
        option(
            "DIR",
            "Labelled images of which a few travel with the artifacts, to verify them by.",
            default="some of those the run held out",
            panel=FILES,
        ),
    ] = None,
    require_engine: Annotated[
        bool,
        typer.Option(
            "--require-engine",
            help="Refuse where an engine can't be built here, instead of leaving it to be built on its device.",
            rich_help_panel=DEVICES,
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace artifacts of the same name.", rich_help_panel=FILES)
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Export sub-models of a run: for each device an artifact, its sidecar, and the probe for all of them."""
    from profiles import load, names
    from sfsc_deploy.exporting import ExportTask
    from sfsc_deploy.formats import ARTIFACT_FORMATS

    if bool(profile) == every:
        raise typer.BadParameter("give one or more profiles, or --all", param_hint="--profile")
    task = ExportTask(
        run=run,
        profiles=tuple(load(name, formats=ARTIFACT_FORMATS) for name in (names() if every else profile or ())),
        out=out,
        width=width,
        precision=precision,
        calibration=calibration,
        probe=probe,
        overwrite=overwrite,
        skip_unavailable=every,
        require_engine=require_engine,
        named=tuple(profile or ()),
    )
    outcomes = _run(task)
    show_export(outcomes, results(json_file))
    write_json({"artifacts": [facts(outcome) for outcome in outcomes]}, json_file)


def _run(task: "ExportTask") -> "list[Outcome]":
    from sfsc_deploy.choosing import export as run_export
    from sfsc_deploy.cli.progress import progress

    done = 0
    with progress("Exporting", notices()) as show:

        def on_done(outcome: "Outcome") -> None:
            nonlocal done
            done += 1
            show(done, len(task.profiles), outcome.profile.name)

        return run_export(task, on_done)
