"""Refuse to work with somebody else's `trainer`, `exporters` or `profiles`.

The names are generic: another distribution, or a folder on `PYTHONPATH`, may carry one of them too.
"""

from importlib.util import find_spec
from pathlib import Path

import sfsc_deploy
from sfsc_deploy.errors import SfscError

LEAVES = ("trainer", "exporters", "profiles")


def refuse_intruders() -> None:
    """Check that Python finds the package's own leaves; nothing is imported for it.

    Raises:
        SfscError: a leaf is missing, or another package hides it.
    """
    home = Path(sfsc_deploy.__file__).resolve().parent.parent
    for name in LEAVES:
        _check(name, home / name)


def _check(name: str, expected: Path) -> None:
    spec = find_spec(name)
    if spec is None:
        raise SfscError(
            f"The package `{name}` of sfsc-deploy is missing: it should lie at {expected}.",
            "Install again: pip install --force-reinstall --no-deps sfsc-deploy",
        )
    found = _folder(spec.origin, spec.submodule_search_locations)
    if found != expected:
        raise SfscError(
            f"{found} is not part of sfsc-deploy, yet Python finds it as `{name}` and it hides {expected}.",
            "Install sfsc-deploy in an environment of its own (python -m venv), "
            f"or take {found.parent} off PYTHONPATH.",
        )


def _folder(origin: str | None, locations: list[str] | None) -> Path:
    """Where a package lies (a module: its file; a folder without `__init__.py`: the folder)."""
    if origin is None:
        return Path((locations or ["nowhere"])[0]).resolve()
    file = Path(origin).resolve()
    return file.parent if file.name == "__init__.py" else file
