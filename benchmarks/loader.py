"""What decoding during training costs: images a second with all images in memory, and with one and two workers.

Then decoding alone, by threads and by processes. The rounds of the candidates alternate, so that load on the machine
falls on all of them alike; it is recorded with the figures.

    python benchmarks/loader.py photos/
"""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # As `sfsc-deploy train` sets it.

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import Preprocessing, prepare_image
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.training.images import training_images
from trainer.loop import Training
from trainer.recipe import Recipe

ROUNDS = 3
STEPS = 8
DECODED = 1024
SIZE = Preprocessing(height=48, width=48)


class Enough(Exception):  # noqa: N818 - no mistake
    pass


def training_speed(data: DataSet, workers: int) -> float:
    """Images a second over a few steps, the first of which only warms up."""
    times = []

    def stop(_: object) -> None:
        times.append(time.perf_counter())
        if len(times) > STEPS:
            raise Enough

    recipe = Recipe()
    with training_images(data, SIZE, workers) as images, suppress(Enough):
        Training(recipe, images).run(stop, lambda _: None)
    return STEPS * recipe.batch_size / (times[-1] - times[0])


def decoding_speed(data: DataSet, pool_of: Callable[[int], Executor], workers: int) -> float:
    """Images a second of decoding and resizing alone, the pixels handed to the process that trains."""
    sources = list(islice(data.train.sources, DECODED))
    read = partial(prepare_image, preprocessing=SIZE)
    with pool_of(workers) as pool:
        list(pool.map(read, sources[:64]))
        start = time.perf_counter()
        list(pool.map(read, sources, chunksize=16))
        return len(sources) / (time.perf_counter() - start)


def best_of(candidates: dict[str, Callable[[], float]]) -> dict[str, dict[str, float]]:
    rounds = [{name: measure() for name, measure in candidates.items()} for _ in range(ROUNDS)]
    best = {name: max(each[name] for each in rounds) for name in candidates}
    first = next(iter(best.values()))
    return {name: {"images a second": round(speed), "ratio": round(speed / first, 2)} for name, speed in best.items()}


def main(folder: Path) -> None:
    data = open_dataset(folder)
    training = {"in memory": 0, "1 worker": 1, "2 workers": 2}
    decoding = {
        f"{count} {kind}": (pool, count)
        for count in (1, 2)
        for kind, pool in (("threads", ThreadPoolExecutor), ("processes", ProcessPoolExecutor))
    }
    figures = {
        "images": len(data.train),
        "load average": round(os.getloadavg()[0], 1),
        "training": best_of({name: partial(training_speed, data, workers) for name, workers in training.items()}),
        "decoding": best_of({name: partial(decoding_speed, data, *each) for name, each in decoding.items()}),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder]:
            main(Path(folder))
        case _:
            print("Nothing measured: name a folder of images to train on.")
