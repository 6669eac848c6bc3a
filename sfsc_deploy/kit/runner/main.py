"""What `python3 run.pyz` does: check the kit, run each artifact, record what it embeds, say what to copy back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sfsc_deploy.device_name import device_name
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.kit.runner.manifest import Entry, Kit, open_kit
from sfsc_deploy.kit.runner.missing import Missing
from sfsc_deploy.kit.runner.probe import PILLOW, pillow_version, read_probe
from sfsc_deploy.kit.runner.recording import Ran, record
from sfsc_deploy.kit.runner.running import Running

RECORDED = "recorded"
DONE, FAILED, REFUSED = 0, 1, 2
_ENGINES_NEED = (3, 10)


def main(folder: Path, arguments: Sequence[str] | None = None) -> int:
    """Run the kit that was unpacked into `folder`.

    Returns:
        0 when every artifact was recorded, 1 when one could not be; 2 for software that one takes and that is missing
        here, a kit that isn't whole, or wrong use.
    """
    chosen = _parser().parse_args(arguments)
    try:
        kit = open_kit(folder)
        entries = _chosen(kit, chosen.artifact)
        out = Path(chosen.out) if chosen.out else folder / RECORDED
        out.mkdir(parents=True, exist_ok=True)
        targets = [out / entry.recording for entry in entries]
        _refuse_existing(targets, chosen.overwrite)
    except (SfscError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
    statuses = [_record(kit, entry, target, chosen) for entry, target in zip(entries, targets)]
    _show_next([target for target, status in zip(targets, statuses) if status == DONE])
    return max(statuses, default=DONE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.pyz", description="Run the artifacts of this kit here, and record what they embed for verify-compat."
    )
    parser.add_argument("artifact", nargs="*", help="which of them, as raspberry-pi.onnx (default: all)")
    parser.add_argument("--device-name", metavar="NAME", help="what to call this device (default: its model)")
    parser.add_argument("--providers", metavar="A,B", help="of ONNX Runtime (default: CPUExecutionProvider)")
    parser.add_argument("--compute-units", metavar="UNITS", help="of a Mac, as CPU_AND_NE (default: its profile's)")
    parser.add_argument("--out", metavar="DIR", help=f"where recordings go (default: {RECORDED}, in the kit)")
    parser.add_argument("--overwrite", action="store_true", help="replace recordings and engines that are there")
    return parser


def _chosen(kit: Kit, names: Sequence[str]) -> list[Entry]:
    known = {entry.name: entry for entry in kit.artifacts}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SfscError(f"The kit has no {', '.join(unknown)}.", f"Choose among: {', '.join(known)}.")
    return [known[name] for name in names] or list(kit.artifacts)


def _refuse_existing(targets: Sequence[Path], overwrite: bool) -> None:
    existing = [str(target) for target in targets if target.exists()]
    if existing and not overwrite:
        raise SfscError(f"{', '.join(existing)} would be overwritten.", "Allow it with --overwrite, or choose --out.")


def _record(kit: Kit, entry: Entry, target: Path, chosen: argparse.Namespace) -> int:
    device = chosen.device_name or device_name()
    try:
        probe = read_probe(kit.probe)
        ran = _start(entry, target.parent, device, chosen)
        try:
            record(ran, probe, sha256_of(kit.probe), target)
        finally:
            ran.running.close()
    except (SfscError, OSError) as error:
        print(f"{entry.name} was not recorded: {error}", file=sys.stderr)
        return REFUSED if isinstance(error, Missing) else FAILED
    print(f"{entry.name}: {len(probe.images)} images on {device} ({ran.running.backend})")
    return DONE


def _start(entry: Entry, out: Path, device: str, chosen: argparse.Namespace) -> Ran:
    if entry.kind == "engine":
        return _start_engine(entry, out, device, overwrite=chosen.overwrite)
    running: Running
    if entry.kind == "package":
        from sfsc_deploy.kit.runner.package import Package

        running = Package(entry.path, entry.sidecar, chosen.compute_units)
    else:
        from sfsc_deploy.kit.runner.onnx_file import OnnxFile

        running = OnnxFile(entry.path, (chosen.providers or "CPUExecutionProvider").split(","))
    return Ran(entry.path, entry.sidecar, running, device)


def _start_engine(entry: Entry, out: Path, device: str, *, overwrite: bool) -> Ran:
    if sys.version_info < _ENGINES_NEED:
        here = ".".join(map(str, sys.version_info[:2]))
        raise Missing(f"TensorRT engines take Python 3.10, this is {here}.", "Run the kit with a newer Python.")
    from sfsc_deploy.kit.runner.engine_file import EngineFile

    path, sidecar = entry.path, entry.sidecar
    if entry.recipe is not None:
        from sfsc_deploy.kit.runner.building import build

        path, sidecar = build(entry, out, device, overwrite=overwrite)
    return Ran(path, sidecar, EngineFile(path, sidecar), device)


def _show_next(recorded: Sequence[Path]) -> None:
    if not recorded:
        return
    if pillow_version() is None:
        needed = ".".join(map(str, PILLOW))
        print(f"Without Pillow {needed} or newer it stays open whether images are decoded here as they should be.")
    names = " ".join(target.name for target in recorded)
    print("Copy back, beside the artifacts and their probe:")
    for target in recorded:
        print(f"  {target}")
    print(f"Then, there: sfsc-deploy verify-compat ... {names}")
