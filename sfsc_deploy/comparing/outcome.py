"""What one run of a method is worth: its cross-test matrix, and the compatibility criterion on every cell."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sfsc_deploy.evaluation import HeldOut
from sfsc_deploy.files import write_text
from sfsc_deploy.parsing import parse_json
from sfsc_deploy.run_folder import METRICS, RunFolder
from sfsc_deploy.runtime.torch_backend import TorchEmbedder
from sfsc_deploy.verification.cross_test import Contestant, cross_test
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.thresholds import FLOAT32
from sfsc_deploy.verification.verdict import Status
from trainer.networks import Networks, count_parameters

FILE = "outcome.json"
_ALLOWED = (FLOAT32.max_criterion_loss, FLOAT32.max_rank1_loss)
_Share = Annotated[float, Field(ge=0, le=1)]


class Outcome(BaseModel):
    """One run, measured on all held-out images of its data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    """Name of the contender."""
    seed: int
    space: str
    """Of the run that was measured."""
    widths: tuple[float, ...]
    map: tuple[tuple[_Share, ...], ...]
    """``map[query][gallery]``."""
    rank1: tuple[tuple[_Share, ...], ...]
    violations: int
    """Cells that miss the criterion (`sfsc_deploy.verification.criterion`)."""
    allowed: tuple[float, float] | None = None
    """How much mAP and rank-1 a cell may lose beyond chance; None in files of before, which looked at mAP alone."""
    parameters: int
    """Of all networks that had to be trained."""
    seconds: float
    """Of training, on this machine as it was then."""

    @model_validator(mode="after")
    def _square(self) -> "Outcome":
        size = len(self.widths)
        if size == 0 or any([*map(len, table)] != [size] * size for table in (self.map, self.rank1)):
            raise ValueError("`map` and `rank1` need a row and a column for each width")
        return self

    @property
    def matrix(self) -> NDArray[np.float64]:
        """mAP, ``[widths, widths]``, queries by gallery."""
        return np.array(self.map)

    @property
    def mean(self) -> float:
        """Mean of the whole matrix."""
        return float(self.matrix.mean())

    @property
    def narrow_on_wide(self) -> float:
        """The narrowest model's queries on the widest one's gallery."""
        return float(self.matrix[0, -1])

    @property
    def self_tests(self) -> tuple[float, ...]:
        """From the narrowest to the widest."""
        return tuple(self.matrix.diagonal().tolist())

    @property
    def worst(self) -> float | None:
        """Smallest difference between a cross-test and the self-test of its weaker side; None for a single width."""
        own = self.matrix.diagonal()
        short = self.matrix - np.minimum(own[:, None], own)
        others = short[~np.eye(len(own), dtype=np.bool_)]
        return float(others.min()) if others.size else None


def read(run: RunFolder) -> Outcome | None:
    """What was measured of a run before; None where that is absent, of another run or judged otherwise.

    Raises:
        SfscError: the file is damaged.
    """
    file = run.path / FILE
    if not file.exists():
        return None
    outcome = parse_json(Outcome, file.read_bytes(), file, "Remove it: it is measured anew.")
    return outcome if outcome.space == run.space and outcome.allowed == _ALLOWED else None


def measure(run: RunFolder, method: str, images: HeldOut) -> Outcome:
    """Embed the held-out images with every width of a run, judge every pair, and keep that beside the run."""
    networks = run.networks()
    contestants = [Contestant(f"{width:g}", run.space, _rows(networks, run, width, images)) for width in run.widths]
    cells, checks = cross_test(contestants)
    size = len(run.widths)
    outcome = Outcome(
        method=method,
        seed=run.recipe.seed,
        space=run.space,
        widths=run.widths,
        map=_table([cell.map for cell in cells], size),
        rank1=_table([cell.rank1 for cell in cells], size),
        violations=sum(check.status is Status.FAIL for check in checks),
        allowed=_ALLOWED,
        parameters=count_parameters(networks),
        seconds=_seconds(run.path / METRICS),
    )
    write_text(run.path / FILE, outcome.model_dump_json(indent=2) + "\n")
    return outcome


def _rows(networks: Networks, run: RunFolder, width: float, images: HeldOut) -> Rows:
    with TorchEmbedder(networks, width, run.preprocessing) as model:
        query, gallery = model.embed(images.query), model.embed(images.gallery)
    return Rows(images.data, query, gallery, images.query_labels, images.gallery_labels)


def _table(values: list[float], size: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(values[row * size : (row + 1) * size]) for row in range(size))


def _seconds(metrics: Path) -> float:
    with metrics.open(encoding="utf-8") as lines:
        return sum(float(json.loads(line).get("seconds", 0)) for line in lines)
