"""Text from outside: JSON turned into a model, with errors that name file and field; TOML by what Python brings."""

import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sfsc_deploy.errors import SfscError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LONGEST_TOML = 1 << 14
"""Characters: reading keys of many parts takes time that grows with the square of their number."""

_Model = TypeVar("_Model", bound=BaseModel)


def parse_json(model: type[_Model], text: str | bytes, source: str | Path, remedy: str = "") -> _Model:
    """Read `text` as a `model`.

    Args:
        model: the pydantic model that the text must fit.
        text: JSON.
        source: where the text comes from, for the error.
        remedy: what mends it, for the error.

    Raises:
        SfscError: no JSON, or not such a model; names the source and the first field that is wrong.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise SfscError(f"{source} is not valid: {first_problem(error)}.", remedy) from None


def parse_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        ValueError: it is none, or longer than `LONGEST_TOML`, or goes too deep.
    """
    if len(text) > LONGEST_TOML:
        raise ValueError(f"it is {len(text)} characters long; at most {LONGEST_TOML} are read")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its values lie too deep in each other") from None


def first_problem(error: ValidationError) -> str:
    """The first thing wrong as one sentence without its stop: ``field `a.b`: input should be ...``."""
    problem = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    count = error.error_count() - 1
    more = f" (and {count} more)" if count else ""
    return (f"field `{field}`: {reason}" if field else reason) + more
