"""The folder that a training run leaves: supernet, recipe, evaluation, probe."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sfsc_deploy.artifact import space_id
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing
from sfsc_deploy.parsing import first_problem, parse_toml
from trainer.errors import TrainerError
from trainer.recipe import Recipe, completed

if TYPE_CHECKING:
    from trainer.networks import Networks

WEIGHTS = "supernet.safetensors"
RECIPE = "recipe.toml"
EVALUATION = "evaluation.json"
METRICS = "metrics.jsonl"
PICTURE = "training.png"
NEIGHBOURS = "neighbours.png"
PROBE = "probe.safetensors"
CHECKPOINT = "checkpoint.pt"
LATEST = "latest"
RUNS = Path("runs")
"""Where runs lie unless the user says otherwise, and where the newest one is looked for."""


class OldGeneration(BaseModel):
    """A run whose galleries stay in use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    """Its folder."""
    space: str
    weights: bool = False
    """Whether the run began with its weights, being built alike."""


class RunFacts(BaseModel):
    """What a run resolved beyond its recipe: the ``[run]`` table of ``recipe.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    """Name of the data set."""
    root: str | None = None
    """Folder of the data set; None for the embedded one."""
    identities: Annotated[int, Field(gt=0)]
    """Number of training identities: the size of the shared classifier."""
    preprocessing: Preprocessing
    compatible_with: OldGeneration | None = None
    """The older generation that the run was made to fit."""
    space: str | None = None
    """Id of the embedding space; None until training has finished."""
    tools: dict[str, str]
    """Versions of what trained it."""


@dataclass(frozen=True)
class RunFolder:
    """A training run on disk."""

    path: Path
    recipe: Recipe
    facts: RunFacts

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Reads the recipe of a run, finished or not.

        Raises:
            SfscError: not a run folder, or a recipe that isn't valid.
        """
        file = path / RECIPE
        try:
            settings, facts = read_settings(file)
            known = RunFacts.model_validate(facts)
            return cls(path, Recipe.model_validate(settings), known)
        except (FileNotFoundError, NotADirectoryError):
            raise SfscError(f"{path} is not a run folder: it has no {RECIPE}.", "Give the folder of a run.") from None
        except ValidationError as error:
            raise SfscError(f"{file} is not valid: {first_problem(error)}.", "Restore it, or train anew.") from None
        except (OSError, ValueError) as error:
            raise SfscError(f"{file} can't be read: {error}.", "Restore it, or train anew.") from None

    @classmethod
    def latest(cls, root: Path = RUNS) -> "RunFolder":
        """The newest finished run under ``root``.

        Raises:
            SfscError: there is none.
        """
        link = root / LATEST
        if link.is_symlink() and not link.exists():
            raise SfscError(f"The newest run, {link.readlink()} seen from {root}, is gone.", "Name another run.")
        if not link.is_dir():
            raise SfscError(f"There is no finished run in {root}.", "Train one first (sfsc-deploy train), or name one.")
        return cls.open((root / LATEST).resolve())

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def widths(self) -> tuple[float, ...]:
        """The trained widths, ascending."""
        return self.recipe.trained_widths

    @property
    def dim(self) -> int:
        """D of the embedding."""
        return self.recipe.embedding_dim

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become the input of the supernet."""
        return self.facts.preprocessing

    @property
    def space(self) -> str:
        """Id of the embedding space.

        Raises:
            SfscError: the run hasn't finished.
        """
        if self.facts.space is None:
            raise SfscError(
                f"The run in {self.path} hasn't finished.", f"Go on with: sfsc-deploy train --resume {self.path}"
            )
        return self.facts.space

    @property
    def probe_path(self) -> Path:
        """Where the run's probe lies."""
        return self.path / PROBE

    @property
    def evaluation(self) -> dict[str, Any]:
        """What ``evaluation.json`` holds: ``widths``, ``map[q][g]``, ``rank1[q][g]``, counts, data set.

        Raises:
            SfscError: absent or damaged.
        """
        file = self.path / EVALUATION
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise SfscError(f"{file} can't be read: {error}.", "Evaluate the run anew: sfsc-deploy eval.") from None

    def width(self, wanted: float | None) -> float:
        """A trained width: the wanted one, or the widest.

        Raises:
            SfscError: it was not trained.
        """
        if wanted is None:
            return self.widths[-1]
        if wanted not in self.widths:
            trained = ", ".join(f"{width:g}" for width in self.widths)
            raise SfscError(f"{self.path} has no width {wanted:g}.", f"It was trained with: {trained}.")
        return wanted

    def networks(self) -> "Networks":
        """What was trained, on the CPU, in evaluation mode: a supernet, or a network for each width.

        Raises:
            SfscError: unfinished, a recipe of no networks, or weights that are damaged or not those of the recipe.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from trainer.networks import build

        expected, file = self.space, self.path / WEIGHTS
        try:
            weights = load_file(file)
            self._refuse_larger_than(file.stat().st_size)
            networks = build(self.recipe, self.facts.identities)
            networks.load_state_dict(weights)
        except TrainerError as error:
            raise SfscError(
                f"{self.path / RECIPE} tells of networks that can't be built: {error.message}",
                "Restore it, or train anew.",
            ) from None
        except (OSError, SafetensorError, RuntimeError, LookupError, TypeError, ValueError) as error:
            reason = " ".join(line.strip(" \t.") for line in str(error).splitlines()[:2])
            raise SfscError(
                f"{file} can't be read as the run's supernet: {reason}.", "Restore it, or train anew."
            ) from None
        arrays = {name: tensor.numpy() for name, tensor in weights.items()}
        if space_id(arrays, self.dim, self.preprocessing) != expected:
            raise SfscError(f"{file} doesn't hold the weights that {RECIPE} speaks of.", "Restore it, or train anew.")
        return networks.eval()

    def _refuse_larger_than(self, size: int) -> None:
        """A recipe of a few lines can claim networks of any size: those of a run take no more bytes than its weights.

        Raises:
            ValueError: as told.
        """
        import torch

        from trainer.networks import build

        with torch.device("meta"):
            claimed = build(self.recipe, self.facts.identities).state_dict()
        if sum(tensor.nbytes for tensor in claimed.values()) > size:
            raise ValueError(f"{RECIPE} tells of larger networks than it holds")


def parse(subject: str) -> tuple[Path, float | None]:
    """Splits ``run@0.5`` into folder and width; without a width the latter is None.

    Raises:
        SfscError: what follows the @ is not a number.
    """
    folder, at, width = subject.rpartition("@")
    if not at or os.path.exists(subject):  # noqa: PTH110 (Path.exists raises for what can't be a path)
        return Path(subject), None
    try:
        return Path(folder), float(width)
    except ValueError:
        raise SfscError(f"{subject}: {width!r} is not a width.", "Write run@0.5, for instance.") from None


def untrained_probe(width: float) -> str:
    """Name of the probe that has a reference of a width that was not trained, too; beside other probes."""
    return f"{Path(PROBE).stem}@{width:g}{Path(PROBE).suffix}"


def is_probe(name: str) -> bool:
    """Whether a file's name is that of a probe."""
    return name == PROBE or (name.startswith(f"{Path(PROBE).stem}@") and name.endswith(Path(PROBE).suffix))


def read_settings(file: Path) -> tuple[dict[str, Any], Any]:
    """The settings of a recipe, and its ``[run]`` table: None in one that somebody wrote, where defaults are today's.

    Raises:
        OSError: the file can't be read.
        ValueError: it isn't TOML.
    """
    settings = parse_toml(file.read_text(encoding="utf-8"))
    facts = settings.pop("run", None)
    return (settings if facts is None else completed(settings)), facts


def write_recipe(folder: Path, recipe: Recipe, facts: RunFacts) -> None:
    """Writes ``recipe.toml``; its settings can be given to ``train --recipe`` as they are."""
    import tomli_w

    known = facts.model_dump(mode="json", exclude_none=True)
    with replacing(folder / RECIPE) as beside:
        beside.write_text(tomli_w.dumps(recipe.written() | {"run": known}), encoding="utf-8")


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file, whole or not at all."""
    with replacing(file) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def point_latest_at(folder: Path, root: Path = RUNS) -> None:
    """Lets ``latest`` under ``root`` point at a finished run, wherever that lies.

    A place that can't be written to is passed over: the run itself is finished and whole.
    """
    beside = root / f".{LATEST}.{os.getpid()}"
    with suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
        beside.symlink_to(os.path.relpath(folder, root), target_is_directory=True)
        beside.replace(root / LATEST)
    with suppress(OSError):
        beside.unlink(missing_ok=True)
