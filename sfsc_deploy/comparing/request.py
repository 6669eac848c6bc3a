"""Which methods are compared, on what, and whom the comparison tells how it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from sfsc_deploy.errors import SfscError
from sfsc_deploy.training import Listener as TrainingListener
from trainer.problems import not_one_of

if TYPE_CHECKING:
    from sfsc_deploy.comparing.outcome import Outcome


@dataclass(frozen=True)
class Contender:
    """A method as it is compared."""

    name: str
    what: str
    """In a few words, for tables."""
    settings: Mapping[str, Any]
    """Of the recipe, beyond what all contenders have in common."""


_ALL = (
    Contender("sfsc", "the default", {"method": "sfsc"}),
    Contender(
        "sfsc-paper",
        "both halves as in the paper, one head for all, no alignment",
        {"method": "sfsc", "compatibility": {"head": "all", "alignment": "none"}},
    ),
    Contender(
        "sfsc-magnitude",
        "the default without projection of gradients",
        {"method": "sfsc", "compatibility": {"conflict": "none"}},
    ),
    Contender(
        "sfsc-direction",
        "the default with the plain loss in place of the uncertainty's",
        {"method": "sfsc", "compatibility": {"loss": "plain"}},
    ),
    Contender("joint", "shared classifier, summed losses", {"method": "joint"}),
    Contender("bct", "backward-compatible training, narrowest first", {"method": "bct"}),
    Contender("asymmetric", "narrow queries against the widest gallery", {"method": "asymmetric"}),
    Contender("independent", "separate models, no compatibility", {"method": "independent"}),
    Contender("unified", "the narrowest model everywhere", {"method": "unified"}),
)
CONTENDERS: Mapping[str, Contender] = MappingProxyType({contender.name: contender for contender in _ALL})
"""What can be compared, by name."""


def contenders(names: Sequence[str]) -> tuple[Contender, ...]:
    """The contenders of these names, in their order.

    Raises:
        SfscError: an unknown one, one twice, or none.
    """
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        raise SfscError(f"Method {not_one_of(unknown[0], CONTENDERS)}.", "Mend --methods.")
    if not names:
        raise SfscError("No method is named.", f"Choose among: {', '.join(CONTENDERS)}.")
    if len(set(names)) < len(names):
        raise SfscError("A method is named twice.", "Name each once.")
    return tuple(CONTENDERS[name] for name in names)


@dataclass(frozen=True)
class CompareRequest:
    """A comparison as the user asks for it."""

    contenders: tuple[Contender, ...]
    out: Path
    """Folder of all runs and of the result; may hold a part of the same comparison."""
    data: Path | None = None
    """Folder or manifest; None: the embedded data set."""
    seeds: int = 3
    """Each method is trained with seeds 0 .. seeds - 1."""
    recipe: Path | None = None
    """TOML file with what the contenders have in common; None: the defaults."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Single settings that go before those of the file."""
    skip_unreadable: bool = False


class Listener(Protocol):
    """Hears how a comparison goes."""

    def begins(self, contender: Contender, seed: int, number: int, total: int) -> TrainingListener:
        """Run `number` of `total`, counted from 1, is next; the listener that is returned hears of its training."""

    def ended(self, outcome: "Outcome", known: bool) -> None:
        """A run was measured; `known`: it had been already."""
