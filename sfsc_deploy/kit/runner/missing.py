"""Software that a kit takes and this Python lacks, and the command that brings it."""

from __future__ import annotations

import shutil
import sys

from sfsc_deploy.errors import SfscError


class Missing(SfscError):  # noqa: N818 - a state of the machine, not a mistake
    """What has to be installed before an artifact can be run here: a module, or a newer Python."""


def missing(software: str, error: ImportError, *modules: str, apt: str | None = None) -> Missing:
    """What to say of software that can't be imported.

    Args:
        software: what people call it.
        error: what importing it raised.
        modules: what pip is to install.
        apt: Debian's package of it.
    """
    command = _command(modules, apt)
    if isinstance(error, ModuleNotFoundError) and error.name in (*modules, "PIL"):
        return Missing(f"{software} is needed:", command)
    why = (str(error).strip() or "its import fails").splitlines()[-1]  # numpy gives advice on many lines before
    return Missing(f"{software} is installed but can't be imported: {why.rstrip('.')}.", f"Install it again: {command}")


def _command(modules: tuple[str, ...], apt: str | None) -> str:
    command = f"python3 -m pip install {' '.join(modules)}"
    in_environment = sys.prefix != sys.base_prefix  # which doesn't see what apt installs
    return command if apt is None or in_environment or not shutil.which("apt") else f"{command} (or: apt install {apt})"
