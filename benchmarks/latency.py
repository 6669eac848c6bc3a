"""How long one image takes in every ONNX artifact of a folder, as a ratio to the first of them.

One process for each measurement: models that take turns in one process slow each other down. The rounds of the
artifacts alternate, so that load on the machine falls on all of them alike; it is recorded with the figures.

    python benchmarks/latency.py dist/server-cpu.onnx dist/android.onnx dist/raspberry-pi.onnx
"""

import json
import os
import subprocess
import sys
import time

import numpy as np

ROUNDS = 3
SECONDS = 1.0


def fastest(artifact: str) -> float:
    """The least time of one image in milliseconds, on one thread, over about a second of runs."""
    from sfsc_deploy.runtime import load

    with load(artifact, threads=1) as embedder:
        assert embedder.size is not None
        image = np.random.default_rng(0).integers(0, 256, (1, *embedder.size, 3), dtype=np.uint8)
        embedder.embed_batch(image)
        times, end = [], time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            embedder.embed_batch(image)
            times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def measure(artifact: str) -> float:
    """`fastest` in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", artifact], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(artifacts: list[str]) -> None:
    rounds = [{artifact: measure(artifact) for artifact in artifacts} for _ in range(ROUNDS)]
    best = {artifact: min(each[artifact] for each in rounds) for artifact in artifacts}
    first = best[artifacts[0]]
    figures = {name: {"ms": round(ms, 3), "times faster": round(first / ms, 2)} for name, ms in best.items()}
    print(json.dumps({"load average": os.getloadavg()[0], "artifacts": figures}, indent=2))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--one", artifact]:
            print(fastest(artifact))
        case []:
            print("Nothing measured: name the ONNX artifacts to compare, the slowest first.")
        case artifacts:
            main(artifacts)
