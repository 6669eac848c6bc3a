"""`sfsc-deploy export`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from sfsc_deploy.cli.console import notices, results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option

if TYPE_CHECKING:
    from sfsc_deploy.exporting import Exported, ExportTask, Unavailable

    Outcome = Exported | Unavailable

PROBE = "probe.safetensors"
DEVICES, MODEL, FILES = "Devices", "Sub-model", "Files"
WORDS, NUMBERS = ("profile", "file", "precision"), ("width", "size", "parameters", "multiply-adds", "min cosine")


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
        option("W", "A trained width.", default="the widest that the device affords", panel=MODEL),
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
            "Images that tell int8 its ranges: a labelled data set or any folder of images.",
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

    if bool(profile) == every:
        raise typer.BadParameter("give one or more profiles, or --all", param_hint="--profile")
    task = ExportTask(
        run=run,
        profiles=tuple(load(name) for name in (names() if every else profile or ())),
        out=out,
        width=width,
        precision=precision,
        calibration=calibration,
        probe=probe,
        overwrite=overwrite,
        skip_unavailable=every,
        require_engine=require_engine,
    )
    outcomes = _run(task)
    console = results(json_file)
    for outcome in outcomes:
        _show_ladder(outcome, console)
    console.print(_table(outcomes))
    for line in _yet_to_be_built(outcomes):
        console.print(line, soft_wrap=True)
    console.print(_probe_text(out / PROBE), soft_wrap=True)
    write_json({"artifacts": [_facts(outcome) for outcome in outcomes]}, json_file)


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


def _show_ladder(outcome: "Outcome", console: Console) -> None:
    """The precisions that were tried, in their order."""
    from sfsc_deploy.exporting import Unavailable

    if isinstance(outcome, Unavailable) or outcome.sidecar.ladder is None:
        return
    console.print(f"{outcome.profile.name}, quickest first:")
    for rung in outcome.sidecar.ladder:
        console.print(f"  {rung.precision} {'passes' if rung.passed else 'fails'}: {rung.why}", soft_wrap=True)


def _yet_to_be_built(outcomes: "Sequence[Outcome]") -> "Iterator[str]":
    from sfsc_deploy.exporting import Exported

    for outcome in outcomes:
        if isinstance(outcome, Exported) and outcome.kit is not None:
            yield f"{outcome.profile.name}: engine: {outcome.sidecar.build.status}"
            yield f"{outcome.kit} holds all that it needs there; its README.txt tells how."


def _probe_text(file: Path) -> str:
    """Which images go out with the artifacts: they may be nobody's business."""
    from sfsc_deploy.probe import Probe

    probe = Probe.load(file)
    return f"{file} travels with them and holds {len(probe)} images, taken from {probe.origin}: --probe chooses others."


def _table(outcomes: "Sequence[Outcome]") -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in WORDS:
        table.add_column(heading, overflow="fold")
    for heading in NUMBERS:
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        table.add_row(outcome.profile.name, *_cells(outcome))
    return table


def _cells(outcome: "Outcome") -> tuple[str, ...]:
    from sfsc_deploy.exporting import Unavailable

    if isinstance(outcome, Unavailable):
        return (f"not written: {outcome.why}",)
    sidecar = outcome.sidecar
    return (
        str(outcome.file),
        sidecar.precision,
        f"{sidecar.width:g}",
        f"{sidecar.size_bytes / 1e6:.2f} MB",
        f"{sidecar.parameters / 1e6:.2f} M",
        f"{sidecar.multiply_adds / 1e6:.1f} M",
        f"{sidecar.fidelity.min_cosine:.6f}" if sidecar.fidelity else "",
    )


def _facts(outcome: "Outcome") -> dict[str, object]:
    from sfsc_deploy.exporting import Unavailable

    if isinstance(outcome, Unavailable):
        return {"profile": outcome.profile.name, "file": None, "why": outcome.why}
    return {"profile": outcome.profile.name, "file": outcome.file, "kit": outcome.kit, "sidecar": outcome.sidecar}
