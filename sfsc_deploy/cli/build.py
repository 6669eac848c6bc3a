"""`sfsc-deploy build`: finish on the device what an export left."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfsc_deploy.cli.console import notices, results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option

if TYPE_CHECKING:
    from sfsc_deploy.building import Built

ENGINE, FILES = "Engine", "Files"


def build(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="The .build.json file that `sfsc-deploy export` left.")
    ],
    version_compatible: Annotated[
        bool,
        typer.Option(
            "--version-compatible",
            help="Let it run with later versions of TensorRT too, and be slower for that.",
            rich_help_panel=ENGINE,
        ),
    ] = False,
    hardware_compatible: Annotated[
        bool,
        typer.Option(
            "--hardware-compatible",
            help="Let it run on other GPUs from Ampere on too, and be slower for that. Not on a Jetson.",
            rich_help_panel=ENGINE,
        ),
    ] = False,
    device_name: Annotated[
        str | None, option("NAME", "What to call this machine.", default="its GPU", panel=FILES)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an engine of the same name.", rich_help_panel=FILES)
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Build a TensorRT engine on the device that it is for; embed and verify-compat then take it."""
    from sfsc_deploy.building import BuildTask
    from sfsc_deploy.building import build as run_build
    from sfsc_deploy.runtime.engine.build import Compatibility
    from sfsc_deploy.unfinished import refuse_pending

    refuse_pending(recipe)
    compatibility = Compatibility(version=version_compatible, hardware=hardware_compatible)
    built = run_build(BuildTask(recipe, overwrite, compatibility, device_name))
    for remark in built.remarks:
        notices().print(remark, soft_wrap=True)
    results(json_file).print(_text(built), soft_wrap=True)
    write_json({"engine": built.engine, "sidecar": built.sidecar, "remarks": built.remarks}, json_file)


def _text(built: "Built") -> str:
    device = built.sidecar.build.device
    assert device is not None
    recorded = built.engine.with_suffix(".safetensors")
    return (
        f"{built.engine}: built with TensorRT {device.tensorrt} on {device.gpu} ({device.compute_capability})\n"
        f"Next: sfsc-deploy embed {built.engine} --out {recorded}"
    )
