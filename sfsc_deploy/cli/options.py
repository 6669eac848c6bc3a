"""How the options of all commands look."""

from typing import Any

import typer

REPLACED = "an existing file is replaced"
"""Said by the help of every option that writes a file without asking."""


def option(
    metavar: str, text: str, *, default: str, panel: str, flag: str | None = None, least: int | None = None
) -> Any:
    """An option that takes a value and is None when not given.

    Args:
        metavar: what the value looks like.
        text: what it decides, a sentence.
        default: what happens without it; empty: the text says so already.
        panel: the group of options in which it is shown.
        flag: its name, where that isn't the parameter's.
        least: the smallest number it takes.
    """
    return typer.Option(
        *([flag] if flag else []),
        metavar=metavar,
        min=least,
        help=f"{text} [dim]\\[default: {default}][/dim]" if default else text,
        show_default=False,
        rich_help_panel=panel,
    )
