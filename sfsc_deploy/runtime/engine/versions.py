"""Versions of TensorRT, and which of them a device may have."""

import re

from sfsc_deploy.errors import SfscError

Version = tuple[int, ...]

_BOUND = re.compile(r"(==|>=|<=|<|>)?(\d+(?:\.\d+)*)")


def parse_version(text: str) -> Version:
    """The numbers that a version begins with: `10.3.0.post1` is (10, 3, 0).

    Raises:
        SfscError: it begins with none.
    """
    numbers = re.match(r"\d+(\.\d+)*", text)
    if numbers is None:
        raise SfscError(f"{text!r} is no version of TensorRT.", "Expected numbers, such as 10.3.0.")
    return tuple(map(int, numbers[0].split(".")))


def same_version(one: Version, other: Version) -> bool:
    """Whether two versions agree in all numbers that both have; Python's `__version__` may lack the last one."""
    return all(a == b for a, b in zip(one, other, strict=False))


def fits(version: Version, specifier: str) -> bool:
    """Whether a version is one of those that a specifier allows.

    Args:
        version: of TensorRT.
        specifier: bounds that must all hold, such as `>=10.3,<12`; a version alone allows those that begin with it.

    Raises:
        SfscError: no such specifier.
    """
    return all(_within(version, bound.strip(), specifier) for bound in specifier.split(","))


def _within(version: Version, bound: str, specifier: str) -> bool:
    parts = _BOUND.fullmatch(bound)
    if parts is None:
        raise SfscError(
            f"{specifier!r} doesn't say which versions of TensorRT are meant.", "Expected such as 10.3 or >=10.3,<12."
        )
    limit = parse_version(parts[2])
    compared = (version + (0,) * len(limit))[: len(limit)]
    match parts[1]:
        case ">=":
            return compared >= limit
        case "<=":
            return compared <= limit
        case ">":
            return compared > limit
        case "<":
            return compared < limit
        case _:
            return compared == limit
