"""Thresholds of a team's own, from a TOML file with tables for precisions and devices."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import profiles
from sfsc_deploy.errors import SfscError
from sfsc_deploy.parsing import first_problem, parse_toml
from sfsc_deploy.verification.subject import Subject
from sfsc_deploy.verification.thresholds import DEFAULTS, Thresholds, is_looser, thresholds_of
from sfsc_deploy.verification.verdict import PolicySource

_Share = Annotated[float, Field(gt=0, le=1)]
_Loss = Annotated[float, Field(ge=0, lt=1)]
_Difference = Annotated[float, Field(gt=0, le=2)]  # of two components of unit rows

_Limits = Mapping[str, Thresholds]
"""Thresholds by precision."""


class Overrides(BaseModel):
    """What one table of a policy sets, by the names of `Thresholds`; None leaves what holds otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    min_cosine: _Share | None = None
    median_cosine: _Share | None = None
    max_difference: _Difference | None = None
    max_batch_difference: _Difference | None = None
    norm: _Share | None = None
    top_k: _Share | None = None
    max_fpr_ratio: Annotated[float, Field(ge=1)] | None = None
    max_tpr_loss: _Loss | None = None
    min_identities: Annotated[int, Field(ge=2)] | None = None
    max_criterion_loss: _Loss | None = None
    max_rank1_loss: _Loss | None = None

    def on(self, limits: Thresholds) -> Thresholds:
        """`limits` with what is set."""
        given = self.model_dump(include=set(Overrides.model_fields), exclude_none=True)
        return Thresholds(**(asdict(limits) | given))


class PrecisionTables(BaseModel):
    """A table for each precision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    float32: Overrides = Overrides()
    float16: Overrides = Overrides()
    int8: Overrides = Overrides()


class ProfileTable(Overrides):
    """What holds on one device, whatever the precision, and tables for its precisions."""

    float32: Overrides = Overrides()
    float16: Overrides = Overrides()
    int8: Overrides = Overrides()


class PolicyTables(PrecisionTables):
    """The tables of a policy file."""

    profile: dict[str, ProfileTable] = {}


@dataclass(frozen=True)
class Policy:
    """What artifacts are measured by.

    Attributes:
        limits: thresholds by precision.
        profiles: likewise, by the name of a device's profile, where its artifacts are judged otherwise.
        source: the file they came from; None: the default ones.
    """

    limits: _Limits
    profiles: Mapping[str, _Limits] = field(default_factory=dict)
    source: PolicySource | None = None

    def thresholds(self, precision: str, profile: str | None = None) -> Thresholds:
        """What holds for artifacts of a precision (see `thresholds_of`) on a device, where that is known."""
        return thresholds_of(precision, self.profiles.get(profile or "", self.limits))


DEFAULT = Policy(DEFAULTS)


def read_policy(path: Path) -> Policy:
    """Read a policy file; what it doesn't set stays at its default.

    What is set for a precision holds on all devices; what is set for a device goes before it, and what is set for a
    precision on a device before that.

    Raises:
        SfscError: it can't be read, or sets something unknown or impossible; names the file and the key.
    """
    content = _content(path)
    try:
        tables = PolicyTables.model_validate(_parsed(content, path))
    except ValidationError as error:
        raise SfscError(f"{path} is no valid policy: {first_problem(error)}.", _REMEDY) from None
    limits = {name: getattr(tables, name).on(default) for name, default in DEFAULTS.items()}
    of_profiles = {name: _on_device(table, limits) for name, table in tables.profile.items()}
    looser = tuple(_looser(limits, of_profiles))
    return Policy(limits, of_profiles, PolicySource(str(path), hashlib.sha256(content).hexdigest(), looser))


def refuse_unknown_profiles(policy: Policy, subjects: Sequence[Subject]) -> None:
    """Make sure that a policy names devices that exist: a misspelt one would be judged by other thresholds unawares.

    Raises:
        SfscError: a profile that is neither shipped nor that of a subject.
    """
    own = {subject.facts.profile for subject in subjects if subject.facts and subject.facts.profile}
    known = sorted({*profiles.names(), *own})
    for name in policy.profiles:
        if name not in known:
            assert policy.source is not None
            raise SfscError(
                f"{policy.source.file} sets thresholds for the profile {name}, which nobody knows.",
                f"Shipped, or of what is verified here, are: {', '.join(known)}.",
            )


_REMEDY = (
    f"Tables are {', '.join(PrecisionTables.model_fields)}, profile.NAME and profile.NAME.PRECISION; keys in them are "
    f"{', '.join(Overrides.model_fields)}."
)


def _on_device(table: ProfileTable, limits: _Limits) -> dict[str, Thresholds]:
    return {name: getattr(table, name).on(table.on(base)) for name, base in limits.items()}


def _looser(limits: _Limits, of_profiles: Mapping[str, _Limits]) -> Iterator[str]:
    """Each threshold that lets more pass than the default one; of a device, what its precision doesn't say already."""
    yield from _looser_than(DEFAULTS, limits, "")
    for profile, own in of_profiles.items():
        yield from _looser_than(limits, own, f"{profile} ")


def _looser_than(told: _Limits, limits: _Limits, of: str) -> Iterator[str]:
    for key in (part.name for part in fields(Thresholds)):
        found: dict[tuple[float, float], list[str]] = {}
        for precision, default in DEFAULTS.items():
            value, built_in = getattr(limits[precision], key), getattr(default, key)
            if is_looser(key, value, built_in) and value != getattr(told[precision], key):
                found.setdefault((value, built_in), []).append(precision)
        for (value, built_in), precisions in found.items():
            yield f"{key} {value:g} of {of}{', '.join(precisions)} (built in: {built_in:g})"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SfscError(f"{path} can't be read: {error.strerror}.", "Check the path given with --policy.") from None


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return parse_toml(content.decode("utf-8-sig"))
    except ValueError as error:
        raise SfscError(f"{path} is not valid TOML: {error}.", _REMEDY) from None
