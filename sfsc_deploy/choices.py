"""Telling the person at the keyboard which of several words may have been meant."""

from collections.abc import Collection
from difflib import get_close_matches


def not_one_of(value: str, choices: Collection[str]) -> str:
    """That a word is not one of its choices, all of which are named, the likeliest once more."""
    near = get_close_matches(value, choices, n=1)
    return f"{value!r} is not one of {', '.join(choices)}{f' (did you mean {near[0]}?)' if near else ''}"
