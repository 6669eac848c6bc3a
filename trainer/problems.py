"""Telling the author of a recipe what is wrong with it, in the words of its settings."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trainer.errors import TrainerError

_LONGEST_VALUE = 60


def explain(error: ValidationError, recipe: type[BaseModel], source: str) -> TrainerError:
    """Every wrong setting, what was expected of it, and the settings to choose from.

    Args:
        error: what validation found.
        recipe: the model that was asked for.
        source: where the settings come from.
    """
    details = error.errors(include_url=False)
    wrong = "; ".join(f"{_place(detail)}: {_problem(detail, recipe)}" for detail in details)
    remedy = " ".join(dict.fromkeys(_known_settings(details, recipe))) or "Mend it and run again."
    return TrainerError(f"The recipe from {source} is not valid: {wrong}.", remedy)


def not_one_of(value: object, choices: Collection[str]) -> str:
    """That a value is not one of its choices, and which of them may have been meant."""
    return f"{_shown(value)} is not one of {', '.join(choices)}{_did_you_mean(value, choices)}"


def _place(detail: ErrorDetails) -> str:
    return ".".join(map(str, detail["loc"])) or "recipe"


def _problem(detail: ErrorDetails, recipe: type[BaseModel]) -> str:
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "extra_forbidden":
            return f"there is no such setting{_meant(str(detail['loc'][-1]), _table_of(detail, recipe))}"
        case "missing":
            return "is missing"
        case "literal_error":
            return not_one_of(detail["input"], _choices(detail, recipe))
        case "model_type":
            return f"{_shown(detail['input'])} should be a table"
        case _:
            return f"{_shown(detail['input'])} {detail['msg'].removeprefix('Input ')}"


def _choices(detail: ErrorDetails, recipe: type[BaseModel]) -> tuple[str, ...]:
    annotation = _table_of(detail, recipe).model_fields[str(detail["loc"][-1])].annotation
    return tuple(map(str, get_args(annotation)))


def _known_settings(details: list[ErrorDetails], recipe: type[BaseModel]) -> Iterator[str]:
    """Those of each table that was given an unknown one."""
    for detail in details:
        if detail["type"] == "extra_forbidden":
            table = ".".join(map(str, detail["loc"][:-1]))
            known = ", ".join(_table_of(detail, recipe).model_fields)
            yield f"Known settings{f' of {table}' if table else ''}: {known}."


def _table_of(detail: ErrorDetails, recipe: type[BaseModel]) -> type[BaseModel]:
    """The table in which a setting stands."""
    table = recipe
    for key in detail["loc"][:-1]:
        table = next(_tables_in(table.model_fields[str(key)].annotation))
    return table


def _tables_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """A setting that is a table itself, or may be one."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _meant(name: str, table: type[BaseModel]) -> str:
    """Where an unknown setting of a table belongs, or which one may have been meant."""
    for home, field in table.model_fields.items():
        if any(name in inner.model_fields for inner in _tables_in(field.annotation)):
            return f" here; it belongs under [{home}]"
    return _did_you_mean(name, table.model_fields)


def _did_you_mean(value: object, choices: Collection[str]) -> str:
    near = get_close_matches(str(value), choices, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
