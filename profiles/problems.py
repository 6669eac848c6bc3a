"""Telling the author of a profile what is wrong with it, in the words of the TOML file."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from profiles.errors import ProfileError
from profiles.schema import Profile

_LONGEST_VALUE = 60


def explain(error: ValidationError, file: str) -> ProfileError:
    """Every wrong key and value of `file` with what was expected there, and the keys to choose from."""
    details = error.errors(include_url=False)
    return ProfileError(
        f"{file} is not a valid profile: {'; '.join(_problem(detail) for detail in details)}.",
        " ".join(dict.fromkeys(_remedies(details))) or "`sfsc-deploy profiles show server-cpu` shows a valid one.",
    )


def _problem(detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            return f"`{key}` is not a known key{_near_match(detail)}"
        case "missing":
            return f"`{key}` is missing"
        case "value_error" if not detail["loc"]:
            return str(detail["ctx"]["error"])
        case "value_error" if isinstance(detail["input"], dict):
            return f"[{key}] has {detail['ctx']['error']}"
        case _:
            return f"`{key}` = {_shown(detail['input'])} {_expectation(detail)}"


def _expectation(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "model_type":
            return "should be a table"
        case "string_pattern_mismatch":
            examples = _table_of(detail).model_fields[str(detail["loc"][-1])].examples or ()
            return f"should look like {' or '.join(map(repr, examples))}"
        case _:
            return detail["msg"].removeprefix("Input ").removeprefix("String ")


def _near_match(detail: ErrorDetails) -> str:
    near = get_close_matches(str(detail["loc"][-1]), _table_of(detail).model_fields, n=1)
    return f" (did you mean `{near[0]}`?)" if near else ""


def _remedies(details: list[ErrorDetails]) -> Iterator[str]:
    """The keys of each table that was given a wrong one."""
    for detail in details:
        if detail["type"] == "extra_forbidden":
            table = ".".join(str(part) for part in detail["loc"][:-1])
            of = f"[{table}]" if table else "a profile"
            yield f"The keys of {of} are {', '.join(_table_of(detail).model_fields)}."


def _table_of(detail: ErrorDetails) -> type[BaseModel]:
    """The table in which the key of `detail` stands."""
    table: type[BaseModel] = Profile
    for key in detail["loc"][:-1]:
        annotation = table.model_fields[str(key)].annotation
        kinds = (annotation, *get_args(annotation))
        table = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return table


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
