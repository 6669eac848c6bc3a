"""Exports with verification's gate: where `--precision auto` leaves the precision open, it decides."""

from collections.abc import Callable
from pathlib import Path

from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.request import Exported, ExportTask, Judgement, Unavailable
from sfsc_deploy.exporting.run import export as run_export
from sfsc_deploy.probe import Probe
from sfsc_deploy.runtime import load
from sfsc_deploy.verification.gate import LOSS, gate, passes
from sfsc_deploy.verification.verdict import Finding, Status


def export(
    task: ExportTask, on_done: Callable[[Exported | Unavailable], None] = lambda _: None
) -> list[Exported | Unavailable]:
    """Writes an artifact, its sidecar and the probe for each profile; see `sfsc_deploy.exporting.run.export`."""
    return run_export(task, on_done, judge)


def judge(file: Path, probe: Probe, width: float, precision: str) -> Judgement:
    """Runs a model file here and asks the compatibility gate; what doesn't run here doesn't pass."""
    try:
        with load(file) as embedder:
            embedding = embedder.embed(probe.images)
    except SfscError as error:
        return Judgement(False, error.message)
    found = gate(embedding, probe, width, precision)
    return Judgement(passes(found), _why(found))


def _why(found: dict[str, Finding]) -> str:
    """What stands against it, or else the figures that tell how close it is."""
    against = {name: finding for name, finding in found.items() if finding.status is not Status.PASS}
    shown = against or {name: found[name] for name in ("fidelity", LOSS)}
    return " ".join(f"{name}: {finding.why}" for name, finding in shown.items())
