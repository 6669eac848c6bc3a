"""From what is typed to the settings of a recipe."""

import re
from typing import Any

import typer


def given(**settings: object) -> dict[str, Any]:
    """Those of the settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}


def width_list(text: str | None) -> tuple[float, ...] | None:
    """Widths from "0.25,0.5,1".

    Raises:
        typer.BadParameter: no numbers.
    """
    return None if text is None else tuple(_number(part, text) for part in text.split(","))


def height_and_width(text: str | None) -> tuple[int, int] | None:
    """An image size from "64" or "128x64".

    Raises:
        typer.BadParameter: something else.
    """
    if text is None:
        return None
    size = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if size is None:
        raise typer.BadParameter(f"{text!r} is no size such as 64 or 128x64", param_hint="--image-size")
    return int(size[1]), int(size[2] or size[1])


def _number(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 0.25,0.5,1", param_hint="--widths") from None
