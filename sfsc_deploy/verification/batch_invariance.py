"""Is an embedding the same whatever batch it is computed in?"""

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.runtime import Embedder
from sfsc_deploy.runtime.batch_trials import BatchTrial, try_batches, try_reversed
from sfsc_deploy.verification.thresholds import MIN_BATCH, Thresholds
from sfsc_deploy.verification.verdict import Finding, failed, measured, unverified

_NEEDED = frozenset({1, 2, 7})


def batch_invariance(
    embedder: Embedder, images: NDArray[np.uint8], limits: Thresholds, rows: NDArray[np.float32] | None = None
) -> Finding:
    """Batches of 1, 2, 7 and as many as fit, and these in reverse order, give the same rows.

    What takes one image at a time knows no batches: only the reverse order is tried.

    Args:
        embedder: what runs the artifact, or recorded embeddings, whose own trials are judged.
        images: uint8 [N, H, W, 3].
        limits: for the precision of the artifact.
        rows: what `embedder.embed` made of these images, where that is known.
    """
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    if isinstance(embedder, RecordedEmbedder):
        return judge_trials(embedder.recording.batch_trials, limits, embedder.again)
    if embedder.one_by_one:
        return _judge_order(try_reversed(embedder, images[:MIN_BATCH]), limits)
    more = "--max-batch 64" if embedder.max_batch < MIN_BATCH else "--data DIR"
    return judge_trials(try_batches(embedder, images, rows), limits, f"sfsc-deploy verify-compat ... {more}")


def judge_trials(trials: tuple[BatchTrial, ...], limits: Thresholds, command: str) -> Finding:
    """Judge what other batches gave; `command` is what tries more, where these were too few."""
    refused = [trial for trial in trials if trial.max_difference is None]
    if refused:
        return failed(f"It failed, or gave no finite numbers, in {_listed(refused)}.")
    sizes = {trial.size for trial in trials}
    if not sizes >= _NEEDED or not any(trial.reverse and trial.size >= MIN_BATCH for trial in trials):
        tried = _listed(list(trials)) if trials else "no other batch"
        return unverified(f"Too few images to tell: tried in {tried}, it takes at least {MIN_BATCH} at once.", command)
    worst = max(trials, key=_difference)
    why = f"Tried in {_listed(list(trials))}: the rows differ by at most {_difference(worst):.2e}, in {_text(worst)}."
    limit = limits.max_batch_difference
    return measured(_difference(worst) <= limit, why, _difference(worst), limit)


def _judge_order(trial: BatchTrial, limits: Thresholds) -> Finding:
    apart = "It takes one image at a time, so there are no batches to depend on"
    if trial.max_difference is None:
        return failed(f"{apart}, but it gave no finite numbers for {trial.size} images in reverse order.")
    why = f"{apart}; {trial.size} images in reverse order: the rows differ by at most {trial.max_difference:.2e}."
    limit = limits.max_batch_difference
    return measured(trial.max_difference <= limit, why, trial.max_difference, limit)


def _difference(trial: BatchTrial) -> float:
    return float("inf") if trial.max_difference is None else trial.max_difference


def _listed(trials: list[BatchTrial]) -> str:
    return ", ".join(map(_text, trials))


def _text(trial: BatchTrial) -> str:
    return f"batches of {trial.size}{' reversed' if trial.reverse else ''}"
