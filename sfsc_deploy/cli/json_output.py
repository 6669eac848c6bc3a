"""`--json FILE`, the same in every command."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from sfsc_deploy.cli.console import STANDARD_OUTPUT
from sfsc_deploy.cli.options import REPLACED

JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        dir_okay=False,
        allow_dash=True,
        help=f"Write the result as JSON too; {REPLACED}. - is standard output.",
        rich_help_panel="Output",
        show_default=False,
    ),
]


def write_json(document: object, target: Path | None) -> None:
    """Write a result as strict JSON (NaN becomes null) to a file, or to standard output for `-`.

    Args:
        document: mappings, sequences, dataclasses, pydantic models, numpy arrays and numbers, paths, enums.
        target: None writes nothing.
    """
    if target is None:
        return
    text = json.dumps(plain(document), indent=2, allow_nan=False) + "\n"
    if target == STANDARD_OUTPUT:
        typer.echo(text, nl=False)
        return
    from sfsc_deploy.files import write_text

    write_text(target, text)


def plain(value: object) -> object:
    """What JSON knows: dict, list, str, int, float, bool, None."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return _opened(value)


def _opened(value: object) -> object:
    """The parts of an object that JSON has no name for."""
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    for method in ("model_dump", "tolist"):  # pydantic; numpy
        if hasattr(value, method):
            return plain(getattr(value, method)())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")
