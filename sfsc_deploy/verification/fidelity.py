"""Does the artifact give what its reference gave, row by row?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import top_k as best
from sfsc_deploy.probe import Probe
from sfsc_deploy.scores import row_cosines
from sfsc_deploy.verification.thresholds import MIN_IMAGES, TOP_K, Thresholds
from sfsc_deploy.verification.verdict import Finding, failed, measured, unverified

COSINES = "cosines"
"""Among the details of fidelity: the cosine of each row to its reference."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How rows [N, D] agree with their references.

    Attributes:
        cosine: float64 [N].
        difference: float64 [N], largest absolute difference of a component.
    """

    cosine: NDArray[np.float64]
    difference: NDArray[np.float64]

    @classmethod
    def between(cls, embedding: NDArray[np.float32], reference: NDArray[np.float32]) -> "Agreement":
        """Compare two float32 [N, D], in float64; a row of zeros agrees with nothing."""
        difference = np.abs(embedding.astype(np.float64) - reference.astype(np.float64))
        return cls(row_cosines(embedding, reference), difference.max(axis=1))

    def within(self, limits: Thresholds) -> bool:
        """Whether every row is right; NaN never is."""
        return bool(
            self.cosine.min() >= limits.min_cosine
            and np.median(self.cosine) >= limits.median_cosine
            and self.difference.max() <= limits.max_difference
        )

    def details(self) -> dict[str, float | int]:
        """The figures of a report."""
        return {
            "min_cosine": float(self.cosine.min()),
            "p1_cosine": float(np.percentile(self.cosine, 1)),
            "median_cosine": float(np.median(self.cosine)),
            "max_difference": float(self.difference.max()),
            "worst_row": int(self.cosine.argmin()),
            "images": len(self.cosine),
        }


def fidelity(embedding: NDArray[np.float32], probe: Probe, width: float, limits: Thresholds) -> Finding:
    """Every row agrees with the reference of its width.

    Args:
        embedding: float32 [N, D], of all images of `probe`, patterns included.
        probe: gives the references.
        width: width multiplier of the artifact.
        limits: for its precision.
    """
    reference = probe.reference.get(width)
    if reference is None:
        return _no_reference(probe, width)
    if reference.shape != embedding.shape:
        return failed(f"It gave {list(embedding.shape)}, the reference is {list(reference.shape)}.")
    agreement = Agreement.between(embedding, reference)
    holds = agreement.within(limits)
    if holds and (too_little := _too_little(probe)):
        return unverified(too_little, "sfsc-deploy export --probe DIR")
    why = _text(agreement, probe, limits) + ("" if holds else _suspicion(embedding, probe, width, limits))
    details = agreement.details() | {COSINES: tuple(agreement.cosine.tolist())}
    return measured(holds, why, float(agreement.cosine.min()), limits.min_cosine, details)


def top_k(embedding: NDArray[np.float32], probe: Probe, width: float, limits: Thresholds) -> Finding:
    """The first gallery images of each query are those of the reference; arguments as of `fidelity`."""
    reference = probe.reference.get(width)
    if reference is None:
        return _no_reference(probe, width)
    query, gallery = probe.retrieval()
    # The first k of k images agree whatever they are, so k is at most half of the gallery.
    k = min(TOP_K, len(gallery) // 2)
    if k == 0:
        return unverified("The probe's gallery is a single image.", "sfsc-deploy export --probe DIR")
    ours, theirs = (best(rows[query], rows[gallery], k) for rows in (embedding, reference))
    shared = float(np.mean([np.isin(a, b).mean() for a, b in zip(ours, theirs, strict=True)]))
    why = f"{100 * shared:.2f} % of the first {k} gallery images of {len(query)} queries are those of the reference."
    return measured(shared >= limits.top_k, why, shared, limits.top_k, {"k": k})


def _no_reference(probe: Probe, width: float) -> Finding:
    widths = ", ".join(f"{known:g}" for known in probe.widths)
    return unverified(
        f"The probe has no reference of width {width:g}, only of {widths}.", "sfsc-deploy verify-compat ... RUN"
    )


def _too_little(probe: Probe) -> str | None:
    """Why an agreement on this probe would prove nothing."""
    if len(probe) < MIN_IMAGES:
        return f"The probe has {len(probe)} images, {MIN_IMAGES} are needed."
    if not probe.is_pattern.any():
        return "The probe has no patterns: an exchange of colours would not show on grey images."
    return None


def _text(agreement: Agreement, probe: Probe, limits: Thresholds) -> str:
    figures = agreement.details()
    row = int(figures["worst_row"])
    kind = "a pattern" if probe.is_pattern[row] else "a query" if probe.is_query[row] else "a gallery image"
    return (
        f"Cosines to the reference: min {figures['min_cosine']:.9f} (row {row}, {kind}; at least "
        f"{limits.min_cosine:g}), 1st percentile {figures['p1_cosine']:.9f}, median {figures['median_cosine']:.9f} "
        f"(at least {limits.median_cosine:g}); largest difference of a component {figures['max_difference']:.2e} "
        f"(at most {limits.max_difference:g})."
    )


def _suspicion(embedding: NDArray[np.float32], probe: Probe, width: float, limits: Thresholds) -> str:
    """Another width whose reference it does agree with, for whoever confused two files."""
    for other, reference in probe.reference.items():
        if other != width and Agreement.between(embedding, reference).within(limits):
            return f" It is the sub-model of width {other:g}, not {width:g}."
    return ""
