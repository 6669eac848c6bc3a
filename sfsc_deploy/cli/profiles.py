"""`sfsc-deploy profiles list` and `sfsc-deploy profiles show`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from sfsc_deploy.cli.console import results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.formats import ARTIFACT_FORMATS

if TYPE_CHECKING:
    from profiles import Profile

app = typer.Typer(no_args_is_help=True, help="Show the devices that artifacts can be exported for.")


@app.command("list")
def list_profiles(json_file: JsonFile = None) -> None:
    """List the shipped profiles, one device a line."""
    from profiles import load, names

    known = [load(name) for name in names()]
    table = Table(box=None, pad_edge=False)
    for heading in ("profile", "format", "precision", "width", "device"):
        table.add_column(heading, overflow="fold")
    for profile in known:
        table.add_row(profile.name, profile.format, profile.precision, f"{profile.width:g}", profile.title)
    results(json_file).print(table)
    write_json({"profiles": known}, json_file)


@app.command("show")
def show_profile(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE.toml", help="A shipped profile, or a file of your own.")],
    toml: Annotated[
        bool, typer.Option("--toml", help="As a file to begin one of your own with.", rich_help_panel="Output")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Show everything that a profile says about its device."""
    from profiles import load, source

    profile = load(name, formats=ARTIFACT_FORMATS)
    if toml:
        results(json_file).print(source(name), end="", soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in _rows(profile):
        table.add_row(key, value)
    results(json_file).print(table)
    write_json(profile, json_file)


def _rows(profile: "Profile") -> Iterator[tuple[str, str]]:
    """Key and value of what is set, the keys of a table below its name: `batch.max`."""
    for key, value in profile.model_dump(exclude_none=True).items():
        entries = value.items() if isinstance(value, Mapping) else [("", value)]
        for part, entry in entries:
            yield f"{key}.{part}" if part else key, _shown(key, entry)


def _shown(key: str, value: object) -> str:
    if isinstance(value, tuple):
        return ("\n" if key == "notes" else ", ").join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
