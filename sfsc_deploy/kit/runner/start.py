"""What `run.pyz` imports first, with nothing but the standard library: whether the rest can be imported here at all."""

from __future__ import annotations

import sys
from pathlib import Path

from sfsc_deploy.kit.runner.missing import Missing, missing


def start(folder: Path) -> int:
    """Run the kit that was unpacked into `folder`, or say what every kit takes and this Python lacks.

    Returns:
        The exit status of `main.main`; 2 without numpy.
    """
    try:
        _import_numpy()
    except Missing as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    from sfsc_deploy.kit.runner.main import main

    return main(folder)


def _import_numpy() -> None:
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        raise missing("numpy", error, "numpy", apt="python3-numpy") from None
