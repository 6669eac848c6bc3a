"""How stored rows fit what another sub-model of the space makes of their images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import Labels
from sfsc_deploy.verification.thresholds import APART, LEAST_APART

_BLOCK = 256
_SAMPLE = 1024  # images whose pairs tell what would be seen: half a million pairs
_Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fit:
    """How the stored rows of G images fit what an artifact makes of these images.

    Attributes:
        own: float32 [G], the cosine of each stored row to the artifact's row of its image.
        nearer: float64 [G], share of the rows of other identities that it beats there; NaN without others.
        home: int64 [G], the image that each stored row fits; another one than its own only where that is sure.
        seen: share of the pairs of images of different identities that would show if their rows were swapped.
    """

    own: _Scores
    nearer: NDArray[np.float64]
    home: NDArray[np.int64]
    seen: float


def compare(made: NDArray[np.float32], stored: NDArray[np.float32], labels: Labels) -> Fit:
    """Lay the stored rows of G images beside the artifact's.

    A stored row is surely of another image where the artifact's row of that one is nearer to it than the artifact's
    row of its own image, and than the other image's stored row is, by more than `APART` times what both rows of an
    image usually lack to a cosine of 1 (the median; where many are wrong it is large, and then little would be `seen`).

    Args:
        made: float32 [G, D], what the artifact makes of the images.
        stored: float32 [G, D], the rows that are said to be theirs.
        labels: of the images.
    """
    made, stored = _unit(made), _unit(stored)
    own: _Scores = np.einsum("ij,ij->i", made, stored)
    gain = np.empty_like(own)
    nearer, home = np.empty(len(own)), np.empty(len(own), np.int64)
    for at, there, here in _blocks(made, stored):
        nearer[at] = _nearer(there, np.diagonal(there, at.start), _others(labels, at))
        elsewhere = here - np.maximum(own[at, None], own)
        home[at], gain[at] = elsewhere.argmax(axis=1), elsewhere.max(axis=1)
    apart = max(APART * (1 - float(np.median(own))), LEAST_APART)
    home = np.where(gain > apart, home, _copied(stored, own, apart))
    return Fit(own, nearer, home, _seen(made, stored, labels, apart))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of norm 1: those that were stored as float16 are a little off."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _blocks(made: NDArray[np.float32], stored: NDArray[np.float32]) -> Iterator[tuple[slice, _Scores, _Scores]]:
    """Some images, their rows' scores with all stored rows, and their stored rows' with all images: float32 [B, G]."""
    for start in range(0, len(made), _BLOCK):
        at = slice(start, start + _BLOCK)
        yield at, made[at] @ stored.T, stored[at] @ made.T


def _others(labels: Labels, at: slice) -> NDArray[np.bool_]:
    """Which images [B, G] show another identity."""
    others: NDArray[np.bool_] = labels.identity[at, None] != labels.identity[None, :]
    return others


def _nearer(scores: _Scores, own: _Scores, others: NDArray[np.bool_]) -> NDArray[np.float64]:
    beaten, count = ((scores < own[:, None]) & others).sum(axis=1), others.sum(axis=1)
    share: NDArray[np.float64] = np.divide(beaten, count, out=np.full(len(count), np.nan), where=count > 0)
    return share


def _copied(stored: NDArray[np.float32], own: _Scores, apart: float) -> NDArray[np.int64]:
    """Of rows that are stored twice: the image that they fit, where they fit the other one far worse; else the own."""
    _, group = np.unique(stored, axis=0, return_inverse=True)
    group, best_last = group.reshape(-1), np.argsort(own, kind="stable")
    fits = np.empty(len(own), np.int64)
    fits[group[best_last]] = best_last
    home: NDArray[np.int64] = fits[group]
    return np.where(own < own[home] - apart, home, np.arange(len(own)))


def _seen(made: NDArray[np.float32], stored: NDArray[np.float32], labels: Labels, apart: float) -> float:
    """Share of pairs, of images of different identities, whose rows would be found if they were swapped."""
    chosen = np.unique(np.linspace(0, len(made) - 1, min(len(made), _SAMPLE)).astype(np.int64))
    made, stored, labels = made[chosen], stored[chosen], Labels(labels.identity[chosen])
    own = np.einsum("ij,ij->i", made, stored)
    seen = pairs = 0
    for at, there, here in _blocks(made, stored):
        others = _others(labels, at)
        found = np.maximum(own[at, None], own) - np.maximum(there, here) > apart
        seen, pairs = seen + int((found & others).sum()), pairs + int(others.sum())
    return seen / pairs if pairs else 0.0
