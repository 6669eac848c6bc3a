"""Which modules are installed, and whether they work: tried in a child process each.

A heavy library may take seconds to import, print, or crash the interpreter (a driver that is missing); none of
it reaches the process that asks.
"""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

SECONDS_TO_IMPORT = 120

_QUESTIONS: Mapping[str, str] = {
    "torch": (
        "facts = {'cuda': torch.version.cuda, "
        "'devices': [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]}"
    ),
    "onnxruntime": "facts = {'providers': onnxruntime.get_available_providers()}",
}


@dataclass(frozen=True)
class Module:
    """A module of another distribution.

    Attributes:
        name: as imported.
        version: of the distribution that brings it; empty when it isn't installed.
        failure: why it can't be imported although it is installed; empty when it can, or wasn't tried.
        facts: what it said of itself.
    """

    name: str
    version: str
    failure: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether it is installed and, if tried, could be imported."""
        return bool(self.version) and not self.failure


def look_up(names: Iterable[str], *, importing: bool) -> dict[str, Module]:
    """Find modules by name.

    Args:
        names: top-level modules.
        importing: try to import each in a child process as well, all at once.
    """
    distributions = importlib.metadata.packages_distributions()
    found = [Module(name, _version(name, distributions)) for name in names]
    if importing:
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(_tried, found))
    return {module.name: module for module in found}


def _version(name: str, distributions: Mapping[str, list[str]]) -> str:
    if importlib.util.find_spec(name) is None:
        return ""
    owners = distributions.get(name)
    return importlib.metadata.version(owners[0]) if owners else "unknown version"


def _tried(module: Module) -> Module:
    if not module.version:
        return module
    question = _QUESTIONS.get(module.name, "facts = {}")
    program = f"import json, {module.name}\n{question}\nprint(json.dumps(facts))"
    try:
        answer = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_IMPORT,
            cwd=sys.prefix,  # not where the user stands: a folder there may bear a library's name
        )
    except subprocess.TimeoutExpired:
        return Module(module.name, module.version, f"no answer within {SECONDS_TO_IMPORT} s")
    if answer.returncode != 0:
        return Module(module.name, module.version, _last_line(answer.stderr) or f"status {answer.returncode}")
    return Module(module.name, module.version, facts=json.loads(_last_line(answer.stdout)))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
