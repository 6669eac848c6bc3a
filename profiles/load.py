"""Finding a profile by its name or file, and reading it."""

import sys
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from profiles.errors import ProfileError
from profiles.problems import explain
from profiles.schema import Profile, validation_context

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SHIPPED = Path(__file__).parent
_SUFFIX = ".toml"
_LONGEST = 1 << 14  # reading keys of many parts takes time that grows with the square of their number


def names() -> tuple[str, ...]:
    """Names of the shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob(f"*{_SUFFIX}")))


def load(name_or_path: str, *, formats: Collection[str] | None = None) -> Profile:
    """Read a shipped profile by its name, or any other by a path that ends in `.toml`.

    Args:
        name_or_path: of the profile.
        formats: that can be written; None: any name is taken.

    Raises:
        ProfileError: no such profile, or a file that isn't a valid one; names the file, the key and what was
            expected there.
    """
    if name_or_path.endswith(_SUFFIX):
        return _load(Path(name_or_path).expanduser(), formats)
    if name_or_path in names():
        return _load(_SHIPPED / f"{name_or_path}{_SUFFIX}", formats)
    raise _unknown(name_or_path)


def source(name_or_path: str) -> str:
    """The TOML of a profile, found as by `load`, which checks it.

    Raises:
        ProfileError: no such file.
    """
    own = name_or_path.endswith(_SUFFIX)
    return _read(Path(name_or_path).expanduser() if own else _SHIPPED / f"{name_or_path}{_SUFFIX}")


def _load(path: Path, formats: Collection[str] | None) -> Profile:
    try:
        profile = Profile.model_validate(_parse(path), context=validation_context(formats))
    except ValidationError as error:
        raise explain(error, str(path)) from error
    if profile.name != path.stem:
        raise ProfileError(
            f"{path} is not a valid profile: `name` = {profile.name!r} should be the name of its file.",
            f'Rename the file to {profile.name}{_SUFFIX}, or set name = "{path.stem}".',
        )
    return profile


def _parse(path: Path) -> dict[str, Any]:
    text = _read(path)
    try:
        if len(text) > _LONGEST:
            raise ValueError(f"it is {len(text)} characters long; at most {_LONGEST} are read")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        where = str(error).replace("at end of document", f"at line {len(text.splitlines())}, the end")
        raise ProfileError(f"{path} is not valid TOML: {where}.", "Mend that line.") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ProfileError(f"{path} can't be read: {error.strerror}.", _instead_of(path.stem)) from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path} is not UTF-8 text: byte {error.start}.", "Save it as UTF-8.") from error


def _unknown(name: str) -> ProfileError:
    file = Path(f"{name}{_SUFFIX}")
    if file.is_file():
        return ProfileError(f"There is no profile {name!r}, but a file {file}.", f"Give it with its ending: {file}")
    return ProfileError(f"There is no profile {name!r}.", _instead_of(name))


def _instead_of(name: str) -> str:
    near = _near_names(name)
    guess = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{guess}The profiles are {', '.join(names())}; one of your own is a path that ends in {_SUFFIX}."


def _near_names(name: str) -> tuple[str, ...]:
    """Shipped profiles that `name` may have meant, at most three, the likeliest first."""
    wanted = name.lower().replace("_", "-").replace(" ", "-")
    containing = [known for known in names() if wanted and wanted in known]
    return tuple(dict.fromkeys([*get_close_matches(wanted, names(), cutoff=0.6), *containing]))[:3]
