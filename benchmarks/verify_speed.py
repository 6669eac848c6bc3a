"""What `verify-compat` takes beyond what ONNX Runtime takes: 1,000 labelled images, two ONNX artifacts.

    python benchmarks/verify_speed.py dist/server-cpu.onnx dist/android.onnx [DATA]

Without DATA 1,000 photographs are made up. The command runs as it is typed. Beside it, bare sessions of ONNX Runtime
embed the same arrays once, 64 at a time: those of DATA, decoded already, and those of the probe. Each runs in a process
of its own, and its time begins when its modules are imported. Rounds alternate, so that load on the machine falls on
both; the least ratio of a round counts. Processor time, which other programs lengthen less, is told beside it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROUNDS = 5
LIMIT = 1.25
IDENTITIES, QUERIES, GALLERY = 100, 3, 7

COMMAND = """
import sys, time
import onnx, onnxruntime, rich.table, rich.progress
import sfsc_deploy.cli.verdict_shown, sfsc_deploy.cli.progress, sfsc_deploy.data.layouts, exporters.precision
import sfsc_deploy.runtime.onnx_backend, sfsc_deploy.verification.verify
from sfsc_deploy.cli.app import app

start, worked = time.perf_counter(), time.process_time()
try:
    app(["verify-compat", *sys.argv[1:], "--json", "verdict.json"], prog_name="sfsc-deploy")
finally:
    print("seconds", time.perf_counter() - start, time.process_time() - worked)
"""
BARE = """
import sys, time
import numpy as np, onnxruntime

arrays, *artifacts = sys.argv[1:]
images = [part for _, part in sorted(np.load(arrays).items())]
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.use_deterministic_compute = True
start, worked = time.perf_counter(), time.process_time()
for artifact in artifacts:
    session = onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
    for part in images:
        for at in range(0, len(part), 64):
            session.run(None, {"image": part[at : at + 64]})
print("seconds", time.perf_counter() - start, time.process_time() - worked)
"""


def main(artifacts: list[str], data: str | None) -> int:
    with tempfile.TemporaryDirectory(prefix="verify-speed-") as folder:
        place = Path(folder)
        images = Path(data).resolve() if data else write_photographs(place / "photographs")
        arrays = place / "arrays.npz"
        count = decode(artifacts[0], images, arrays)
        paths = [str(Path(artifact).resolve()) for artifact in artifacts]
        rounds = []
        for _ in range(ROUNDS):
            command = seconds(COMMAND, [*paths, "--data", str(images)], place)
            rounds.append((*command, *seconds(BARE, [str(arrays), *paths], place)))
        verdict = json.loads((place / "verdict.json").read_text())["verdict"]
    wall, processor, bare_wall, bare_processor = (min(column) for column in zip(*rounds, strict=True))
    ratios = [command / bare for command, _, bare, _ in rounds]
    report = {
        "images": count,
        "artifacts": artifacts,
        "verdict": verdict,
        "command_s": round(wall, 2),
        "bare_s": round(bare_wall, 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "ratio": round(min(ratios), 2),
        "processor_ratio": round(processor / bare_processor, 2),
        "limit": LIMIT,
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(report, indent=2))
    return int(min(ratios) > LIMIT)


def seconds(program: str, arguments: list[str], folder: Path) -> tuple[float, float]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if line.startswith("seconds ")]
    if not told or "Traceback" in done.stderr:
        raise SystemExit(done.stdout + done.stderr)
    _, wall, processor = told[-1].split()
    return float(wall), float(processor)


def write_photographs(folder: Path) -> Path:
    """1,000 JPEG files of 96 x 96 pixels: identities with colours of their own, under noise."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for identity in range(IDENTITIES):
        own = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((96, 96))
        for number in range(QUERIES + GALLERY):
            noisy = np.asarray(own, np.int16) + rng.integers(-40, 41, (96, 96, 3))
            path = folder / ("query" if number < QUERIES else "gallery") / f"{identity:03}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=90)
    return folder


def decode(artifact: str, images: Path, target: Path) -> int:
    from sfsc_deploy.artifact import read_sidecar
    from sfsc_deploy.data.layouts import open_dataset
    from sfsc_deploy.probe import Probe

    sidecar = read_sidecar(Path(artifact))
    data = open_dataset(images, with_train=False)
    query, gallery = (split.load(sidecar.input.preprocessing) for split in (data.query, data.gallery))
    np.savez(
        target, query=query, gallery=gallery, probe=Probe.load(Path(artifact).with_name(sidecar.probe.file)).images
    )
    return len(query) + len(gallery)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [first, second, *rest] if len(rest) <= 1:
            sys.exit(main([first, second], rest[0] if rest else None))
        case _:
            print("Nothing measured: name two ONNX artifacts with their sidecars and probe, and labelled images.")
