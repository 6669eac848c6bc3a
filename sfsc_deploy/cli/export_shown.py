"""What `export` shows when it is done."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sfsc_deploy.artifact import CrossTested, Sidecar
    from sfsc_deploy.exporting import Exported, Unavailable

    Outcome = Exported | Unavailable

WORDS, NUMBERS = ("profile", "file", "precision"), ("width", "size", "parameters", "multiply-adds", "min cosine")


def show_export(outcomes: "Sequence[Outcome]", console: Console) -> None:
    """Print what was chosen, what was written, and what is left to do on devices."""
    from sfsc_deploy.exporting import Exported

    written = [outcome for outcome in outcomes if isinstance(outcome, Exported)]
    for outcome in outcomes:
        show_ladder(outcome, console)
    console.print(_table(outcomes))
    if written:
        show_untrained(written[0].sidecar, console)
    for line in (*_yet_to_be_built(outcomes), *map(_probe_text, _probes(written))):
        console.print(line, soft_wrap=True)


def show_ladder(outcome: "Outcome", console: Console) -> None:
    """Print the precisions that were tried, in their order; nothing where one was asked for."""
    from sfsc_deploy.exporting import Unavailable

    if isinstance(outcome, Unavailable) or outcome.sidecar.ladder is None:
        return
    console.print(f"{outcome.profile.name}, quickest first:")
    for rung in outcome.sidecar.ladder:
        console.print(f"  {rung.precision} {'passes' if rung.passed else 'fails'}: {rung.why}", soft_wrap=True)


def show_untrained(sidecar: "Sidecar", console: Console) -> None:
    """Print what was made of a width that was not trained, and what it is worth; nothing where it was."""
    found = sidecar.untrained
    if found is None:
        return
    images, name = found.batch_norms, f"{sidecar.width:g}"
    done = "recalibrated and its embedding aligned" if found.aligned else "recalibrated (this run aligns no width)"
    console.print(
        f"Width {name} was not trained: its batch norms are {done} on {images.images} images of {images.origin} "
        f"(SHA-256 {images.sha256[:12]}). mAP on the probe, {found.queries} queries "
        "(verify-compat --data measures on more):",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("trained width", "its self-test", f"queries of {name} in its gallery", f"its queries in {name}"):
        table.add_column(heading, justify="right")
    for other in found.trained:
        table.add_row(f"{other.width:g}", *map(_percent, (other.self_test, other.as_query, other.as_gallery)))
    console.print(table)
    better = [other for other in found.trained if other.width < sidecar.width and other.self_test >= found.self_test]
    console.print(f"Its own self-test is {_percent(found.self_test)}.{_advice(better)}", soft_wrap=True)


def _advice(better: "Sequence[CrossTested]") -> str:
    if not better:
        return ""
    best = max(better, key=lambda other: other.self_test)
    return (
        f" Width {best.width:g}, which was trained, is narrower and finds no less ({_percent(best.self_test)}): export "
        "that one, or train with this width among --widths."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _probes(written: "Sequence[Exported]") -> "Iterable[Path]":
    return dict.fromkeys(outcome.file.with_name(outcome.sidecar.probe.file) for outcome in written)


def _yet_to_be_built(outcomes: "Sequence[Outcome]") -> "Iterator[str]":
    from sfsc_deploy.exporting import Exported

    for outcome in outcomes:
        if isinstance(outcome, Exported) and outcome.kit is not None:
            yield f"{outcome.profile.name}: engine: {outcome.sidecar.build.status}"
            yield f"{outcome.kit} holds all that it needs there; its README.txt tells how."


def _probe_text(file: Path) -> str:
    """Which images go out with the artifacts: they may be nobody's business."""
    from sfsc_deploy.probe import Probe

    probe = Probe.load(file)
    return f"{file} travels with them and holds {len(probe)} images, taken from {probe.origin}: --probe chooses others."


def _table(outcomes: "Sequence[Outcome]") -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in WORDS:
        table.add_column(heading, overflow="fold")
    for heading in NUMBERS:
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        table.add_row(outcome.profile.name, *_cells(outcome))
    return table


def _cells(outcome: "Outcome") -> tuple[str, ...]:
    from sfsc_deploy.exporting import Unavailable

    if isinstance(outcome, Unavailable):
        return (f"not written: {outcome.why}",)
    sidecar = outcome.sidecar
    return (
        str(outcome.file),
        sidecar.precision,
        f"{sidecar.width:g}",
        f"{sidecar.size_bytes / 1e6:.2f} MB",
        f"{sidecar.parameters / 1e6:.2f} M",
        f"{sidecar.multiply_adds / 1e6:.1f} M",
        f"{sidecar.fidelity.min_cosine:.6f}" if sidecar.fidelity else "",
    )


def facts(outcome: "Outcome") -> dict[str, object]:
    """What `--json` says of a profile."""
    from sfsc_deploy.exporting import Unavailable

    if isinstance(outcome, Unavailable):
        return {"profile": outcome.profile.name, "file": None, "why": outcome.why}
    return {"profile": outcome.profile.name, "file": outcome.file, "kit": outcome.kit, "sidecar": outcome.sidecar}
