"""How the gradients of the widths become the one that the optimiser sees."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch

from trainer.conflict import reconcile
from trainer.gradients import GradientRows
from trainer.methods import priorities
from trainer.recipe import Compatibility
from trainer.supernet import Supernet


class Collection(Protocol):
    """Takes the backward pass of each width, then combines them."""

    def collecting(self, row: int) -> AbstractContextManager[None]:
        """A backward pass inside of this context is that of the width of this row."""

    def combine(self, uncertainties: Sequence[float], seed: int) -> float:
        """Hands the combined gradient over; the share of conflicting pairs is returned, 0 where none are looked for."""


class Added:
    """The sum: every backward pass adds to the same gradient."""

    def collecting(self, row: int) -> AbstractContextManager[None]:
        """See ``Collection.collecting``."""
        del row
        return nullcontext()

    def combine(self, uncertainties: Sequence[float], seed: int) -> float:
        """See ``Collection.combine``."""
        del uncertainties, seed
        return 0.0


class Reconciled:
    """Side by side in a buffer, then combined without conflicts (``trainer.conflict``).

    Args:
        supernet: whose widths share parameters.
        settings: how.
    """

    def __init__(self, supernet: Supernet, settings: Compatibility) -> None:
        owned = [supernet.owned(width) for width in supernet.widths]
        shared = {name: parameter for name, parameter in supernet.named_parameters() if name in owned[-1]}
        self._rows = GradientRows(shared, owned)
        self._settings = settings

    def collecting(self, row: int) -> AbstractContextManager[None]:
        """See ``Collection.collecting``."""
        return self._rows.collecting(row)

    def combine(self, uncertainties: Sequence[float], seed: int) -> float:
        """See ``Collection.combine``; priorities weigh the rows, which costs no pass of its own."""
        outcome = reconcile(
            self._rows,
            self._settings.conflict,
            priorities=priorities(uncertainties, self._settings.priority),
            whole_network=self._settings.granularity == "network",
            generator=torch.Generator().manual_seed(seed),
        )
        self._rows.hand_over()
        return outcome.conflicting
