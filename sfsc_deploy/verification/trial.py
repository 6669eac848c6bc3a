"""A subject tried on images: the checks that look at the numbers it gives."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.runtime import Embedder
from sfsc_deploy.verification import batch_invariance, fidelity, numerics, preprocessing
from sfsc_deploy.verification.embedding import Embeddings, HeldOut, Images, Rows, embed_all
from sfsc_deploy.verification.numerics import SAMPLE
from sfsc_deploy.verification.opening import Opened
from sfsc_deploy.verification.policy import Policy
from sfsc_deploy.verification.probes import ProbeAtHand
from sfsc_deploy.verification.subject import Facts
from sfsc_deploy.verification.thresholds import Thresholds
from sfsc_deploy.verification.verdict import Finding


class Trial:
    """Embeds each set of images once, when the first check asks for it.

    Args:
        attempt: the subject; it must have been opened, and claim what it is, before a check is made.
        at_hand: the probe of its space, or why there is none.
        images: what the user gave for cross-tests.
        policy: the thresholds.
    """

    def __init__(self, attempt: Opened, at_hand: ProbeAtHand | Finding, images: Images, policy: Policy) -> None:
        self._attempt = attempt
        self._at_hand = at_hand
        self._images = images
        self._policy = policy

    @cached_property
    def embeddings(self) -> Embeddings:
        """Of the probe, and of what cross-tests are made on."""
        return embed_all(self._embedder, self._at_hand, self._held_out)

    def finite(self) -> Finding:
        """See `numerics.finite`; embeddings that it failed to give are not finite either."""
        return self.embeddings.obstacle or numerics.finite(self.embeddings.all_rows())

    def norm(self) -> Finding:
        """See `numerics.norm`."""
        return numerics.norm(self.embeddings.all_rows(), self._limits)

    def collapse(self) -> Finding:
        """See `numerics.collapse`."""
        return numerics.collapse(*self._sample)

    def fidelity(self) -> Finding:
        """See `fidelity.fidelity`."""
        rows = self.embeddings.probe
        if isinstance(rows, Finding):
            return rows
        assert not isinstance(self._at_hand, Finding)
        return fidelity.fidelity(rows, self._at_hand.probe, self._facts.width, self._limits)

    def batch_invariance(self) -> Finding:
        """See `batch_invariance.batch_invariance`."""
        rows, images = self._sample
        return batch_invariance.batch_invariance(self._embedder, images, self._limits, rows)

    def preprocessing(self) -> Finding:
        """See `preprocessing.preprocessing`."""
        if isinstance(self._at_hand, Finding):
            return self._at_hand
        return preprocessing.preprocessing(self._embedder, self._at_hand)

    def top_k(self) -> Finding:
        """See `fidelity.top_k`."""
        rows = self.embeddings.probe
        if isinstance(rows, Finding):
            return rows
        assert not isinstance(self._at_hand, Finding)
        return fidelity.top_k(rows, self._at_hand.probe, self._facts.width, self._limits)

    @property
    def _embedder(self) -> Embedder:
        assert self._attempt.embedder is not None
        return self._attempt.embedder

    @property
    def _facts(self) -> Facts:
        assert self._attempt.facts is not None
        return self._attempt.facts

    @property
    def _limits(self) -> Thresholds:
        return self._policy.thresholds(self._facts.precision, self._facts.profile)

    @property
    def _held_out(self) -> HeldOut | None:
        return self._images.held_out(self._facts.preprocessing)

    @property
    def _sample(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Embeddings and their images: those of the probe, or else the queries."""
        if not isinstance(self.embeddings.probe, Finding):
            assert not isinstance(self._at_hand, Finding)
            return self.embeddings.probe, self._at_hand.probe.images
        assert isinstance(self.embeddings.rows, Rows)
        assert self._held_out is not None
        images = self._held_out.query.first(SAMPLE)
        return self.embeddings.rows.query[: len(images)], images
