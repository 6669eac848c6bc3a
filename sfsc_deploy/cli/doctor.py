"""`sfsc-deploy doctor`: what this machine can build and run, and what is missing for the rest."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from sfsc_deploy.cli.console import results
from sfsc_deploy.cli.json_output import JsonFile, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfsc_deploy.doctor.capabilities import Capability
    from sfsc_deploy.doctor.machine import Machine

MARKS = {"ready": "✓", "missing": "✗", "elsewhere": "·"}


def doctor(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Read versions only; by default each library is tried in a process of its own."),
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Say what this machine can build and run, and which extra or driver is missing for the rest."""
    from sfsc_deploy.doctor.capabilities import survey
    from sfsc_deploy.doctor.machine import describe

    machine = describe()
    capabilities = survey(machine, importing=not quick)
    console = results(json_file)
    console.print(_machine_text(machine), soft_wrap=True)
    console.print(_table(capabilities))
    write_json({"machine": machine, "capabilities": capabilities}, json_file)


def _machine_text(machine: "Machine") -> str:
    memory = f", {machine.memory_bytes / 2**30:.1f} GiB" if machine.memory_bytes else ""
    gpus = [f"{gpu.name} (compute capability {gpu.compute_capability or '?'})" for gpu in machine.gpus]
    return "\n".join(
        (
            f"Python     {machine.python}, {machine.system} {machine.architecture}",
            f"Processor  {machine.processor or machine.architecture}, {machine.cores} cores{memory}",
            f"GPU        {', '.join(gpus) or 'none found'}",
        )
    )


def _table(capabilities: "Sequence[Capability]") -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "to", "with", "remark"):
        table.add_column(heading, overflow="fold")
    for capability in capabilities:
        needs = f"needs: {capability.needs}" if capability.needs else ""
        remark = "; ".join(filter(None, (capability.detail, needs)))
        table.add_row(MARKS[capability.status.value], capability.name, capability.version, remark)
    return table
