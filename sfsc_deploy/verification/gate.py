"""The compatibility gate: may one artifact be let into the fleet of its space, as far as the probe can tell?

The other members of the fleet are the references of all widths, which the probe holds; so nothing else has to run.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.probe import Probe
from sfsc_deploy.verification import fidelity, numerics
from sfsc_deploy.verification.cross_test import Contestant, cross_test
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.thresholds import MAX_MAP_LOSS, thresholds_of
from sfsc_deploy.verification.verdict import Cell, Check, Finding, Status, measured, room, unverified, worst

LOSS = "loss"
_CANDIDATE = "it"


def gate(embedding: NDArray[np.float32], probe: Probe, width: float, precision: str) -> dict[str, Finding]:
    """Make the checks of `verify-compat` that look at an artifact's numbers, and compare its retrieval with float32.

    Args:
        embedding: float32 [N, D], what the artifact made of all images of the probe.
        probe: with references of the fleet's widths, the artifact's own among them.
        width: width multiplier of the artifact.
        precision: of the artifact, as read back from it.

    Returns:
        Findings by the name of the check. `loss` is how far the worst cell of the cross-test matrix lies below that
        of the float32 reference in the artifact's place. Of embeddings that aren't finite, nothing else is told.
    """
    found = {"finite": numerics.finite(embedding)}
    if not passes(found):
        return found
    limits = thresholds_of(precision)
    cells, criterion = _cross_test(embedding, probe)
    return found | {
        "norm": numerics.norm(embedding, limits),
        "collapse": numerics.collapse(embedding, probe.images),
        "fidelity": fidelity.fidelity(embedding, probe, width, limits),
        "top-k": fidelity.top_k(embedding, probe, width, limits),
        "criterion": _worst(criterion),
        LOSS: _loss(cells, probe, width),
    }


def passes(found: Mapping[str, Finding]) -> bool:
    """Whether everything that was checked holds; what the probe can't tell doesn't."""
    return worst(finding.status for finding in found.values()) is Status.PASS


def _cross_test(embedding: NDArray[np.float32], probe: Probe) -> tuple[tuple[Cell, ...], list[Check]]:
    members = {_CANDIDATE: embedding} | {_name(width): reference for width, reference in probe.reference.items()}
    contestants = [
        Contestant(name, probe.space, Rows.of_probe("the probe", probe, rows)) for name, rows in members.items()
    ]
    cells, checks = cross_test(contestants)
    return cells, [check for check in checks if check.concerns(_CANDIDATE)]


def _worst(checks: list[Check]) -> Finding:
    """The check that decides."""
    status = worst(check.status for check in checks)
    return min((check for check in checks if check.status is status), key=room)


def _loss(cells: tuple[Cell, ...], probe: Probe, width: float) -> Finding:
    if not cells:
        return unverified("No query of the probe has a match in its gallery.", "sfsc-deploy export --probe DIR")
    found = {(cell.query, cell.gallery): cell.map for cell in cells}
    own, others = _name(width), list(map(_name, probe.widths))
    losses = [
        found[own, own] - found[_CANDIDATE, _CANDIDATE],
        *(found[own, other] - found[_CANDIDATE, other] for other in others),
        *(found[other, own] - found[other, _CANDIDATE] for other in others),
    ]
    loss = max(losses)
    why = f"The worst cell of the cross-test matrix has {-100 * loss:+.1f} points of mAP to that of the reference."
    return measured(loss <= MAX_MAP_LOSS, why, loss, MAX_MAP_LOSS)


def _name(width: float) -> str:
    return f"reference@{width:g}"
