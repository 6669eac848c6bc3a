"""Memory and time of the retrieval metrics on the size of Market-1501, beside the bare matrix product.

    python benchmarks/metrics_memory.py

Prints one JSON object and exits with 1 when the metrics take 1 GiB or more on top of the embeddings. Memory is
the growth of the process's peak, so the metrics go first; then both are timed in turn and the fastest counts.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import Labels, retrieve

QUERIES, GALLERY, DIM = 3368, 15913, 512
IDENTITIES, CAMERAS = 750, 6
LIMIT_MIB = 1024
ROUNDS = 3
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in what the system calls ru_maxrss


def main() -> int:
    rng = np.random.default_rng(0)
    query, gallery = embeddings(rng, QUERIES), embeddings(rng, GALLERY)
    query_labels, gallery_labels = labels(rng, QUERIES), labels(rng, GALLERY)

    def metrics() -> None:
        retrieve(query, gallery, query_labels, gallery_labels)

    def bare_product() -> None:
        np.matmul(query.astype(np.float64), gallery.astype(np.float64).T)

    growth = peak_growth_mib(metrics)
    times = [(seconds(metrics), seconds(bare_product)) for _ in range(ROUNDS)]
    measured, bare = (min(column) for column in zip(*times, strict=True))
    report = {
        "queries": QUERIES,
        "gallery": GALLERY,
        "dim": DIM,
        "peak_growth_mib": round(growth),
        "limit_mib": LIMIT_MIB,
        "metrics_s": round(measured, 2),
        "bare_float64_product_s": round(bare, 2),
        "ratio": round(measured / bare, 2),
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(report, indent=2))
    return int(growth >= LIMIT_MIB)


def embeddings(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    drawn = rng.standard_normal((count, DIM), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def labels(rng: np.random.Generator, count: int) -> Labels:
    return Labels(rng.integers(0, IDENTITIES, count), rng.integers(0, CAMERAS, count))


def peak_growth_mib(work: Callable[[], None]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * PEAK_UNIT / 2**20


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
