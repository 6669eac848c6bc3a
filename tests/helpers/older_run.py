"""Runs as versions of before left them, which couldn't choose prototypes, heads and alignment."""

import json
from pathlib import Path
from typing import Any

_LATER = ("prototypes", "head", "alignment")


def older_recipe(file: Path) -> None:
    """Takes out of a recipe what couldn't be chosen yet."""
    lines = file.read_text().splitlines(True)
    file.write_text("".join(line for line in lines if not line.startswith(_LATER)))


def older_settings(text: str) -> str:
    """The same of the settings in a checkpoint, which are JSON."""
    settings: dict[str, Any] = json.loads(text)
    known = settings["compatibility"]
    return json.dumps(settings | {"compatibility": {name: known[name] for name in known if name not in _LATER}})
