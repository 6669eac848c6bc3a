"""Thresholds of a team's own, from a TOML file: a table for each precision that is to be judged otherwise."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sfsc_deploy.errors import SfscError
from sfsc_deploy.parsing import first_problem, tomllib
from sfsc_deploy.verification.thresholds import DEFAULTS, Thresholds, thresholds_of
from sfsc_deploy.verification.verdict import PolicySource

_Share = Annotated[float, Field(gt=0, le=1)]
_Loss = Annotated[float, Field(ge=0, lt=1)]
_Difference = Annotated[float, Field(gt=0, le=2)]  # of two components of unit rows


class Overrides(BaseModel):
    """What a policy sets for one precision, by the names of `Thresholds`; None leaves the default."""

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

    def on(self, limits: Thresholds) -> Thresholds:
        """`limits` with what is set."""
        return Thresholds(**(asdict(limits) | self.model_dump(exclude_none=True)))


class PolicyTables(BaseModel):
    """The tables of a policy file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    float32: Overrides = Overrides()
    float16: Overrides = Overrides()
    int8: Overrides = Overrides()


@dataclass(frozen=True)
class Policy:
    """What artifacts are measured by.

    Attributes:
        limits: thresholds by precision.
        source: the file they came from; None: the default ones.
    """

    limits: Mapping[str, Thresholds]
    source: PolicySource | None = None

    def thresholds(self, precision: str) -> Thresholds:
        """See `thresholds_of`."""
        return thresholds_of(precision, self.limits)


DEFAULT = Policy(DEFAULTS)


def read_policy(path: Path) -> Policy:
    """Read a policy file; what it doesn't set stays at its default.

    Raises:
        SfscError: it can't be read, or sets something unknown or impossible; names the file and the key.
    """
    content = _content(path)
    try:
        tables = PolicyTables.model_validate(_parsed(content, path))
    except ValidationError as error:
        raise SfscError(f"{path} is no valid policy: {first_problem(error)}.", _REMEDY) from None
    limits = {name: getattr(tables, name).on(default) for name, default in DEFAULTS.items()}
    return Policy(limits, PolicySource(str(path), hashlib.sha256(content).hexdigest()))


_REMEDY = f"Tables are {', '.join(PolicyTables.model_fields)}; keys in them are {', '.join(Overrides.model_fields)}."


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SfscError(f"{path} can't be read: {error.strerror}.", "Check the path given with --policy.") from None


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SfscError(f"{path} is not valid TOML: {error}.", _REMEDY) from None
