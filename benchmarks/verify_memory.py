"""Memory and time of `verify-compat` on 50,000 labelled images and a fleet of eight artifacts.

    python benchmarks/verify_memory.py dist/raspberry-pi.onnx [IMAGES]

The images are drawn once, 32 x 32 pixels, PNG, into a temporary folder; the fleet is the artifact and seven copies.
Prints one JSON object and exits with 1 when the command's peak is 2 GiB or more.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

IMAGES, FLEET = 50_000, 8
EACH, QUERIES_EACH = 25, 1
LIMIT_MIB = 2048
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in what the system calls ru_maxrss


def main(artifact: Path, count: int) -> int:
    with tempfile.TemporaryDirectory(prefix="verify-memory-") as folder:
        place = Path(folder)
        write_images(place / "images", count)
        fleet = copy_fleet(artifact, place)
        start = time.perf_counter()
        command = [sys.executable, "-m", "sfsc_deploy", "verify-compat", *fleet, "--data", str(place / "images")]
        done = subprocess.run(
            [*command, "--json", str(place / "verdict.json")], capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        if "Traceback" in done.stderr or done.returncode == 2:
            raise SystemExit(done.stderr)
        verdict = json.loads((place / "verdict.json").read_text())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * PEAK_UNIT / 2**20
    report = {
        "images": count,
        "artifacts": FLEET,
        "verdict": verdict["verdict"],
        "cells": len(verdict["matrix"]),
        "peak_mib": round(peak),
        "limit_mib": LIMIT_MIB,
        "seconds": round(seconds),
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(report, indent=2))
    return int(peak >= LIMIT_MIB)


def write_images(folder: Path, count: int) -> None:
    """Identities with colours of their own, under noise; one image of each is a query."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for identity in range(count // EACH):
        own = np.asarray(Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((32, 32)), np.int16)
        noisy = np.clip(own + rng.integers(-40, 41, (EACH, 32, 32, 3)), 0, 255).astype(np.uint8)
        for part in ("query", "gallery"):
            (folder / part / f"{identity:05}").mkdir(parents=True)
        for number, image in enumerate(noisy):
            part = "query" if number < QUERIES_EACH else "gallery"
            Image.fromarray(image).save(folder / part / f"{identity:05}" / f"{number}.png", compress_level=1)


def copy_fleet(artifact: Path, folder: Path) -> list[str]:
    from sfsc_deploy.artifact import read_sidecar, sidecar_path

    copies = []
    for number in range(FLEET):
        place = folder / str(number)
        place.mkdir()
        for file in (artifact, sidecar_path(artifact), artifact.with_name(read_sidecar(artifact).probe.file)):
            shutil.copy(file, place)
        copies.append(str(place / artifact.name))
    return copies


if __name__ == "__main__":
    match sys.argv[1:]:
        case [artifact]:
            sys.exit(main(Path(artifact), IMAGES))
        case [artifact, count]:
            sys.exit(main(Path(artifact), int(count)))
        case _:
            print("Nothing measured: name an ONNX artifact with its sidecar and probe.")
