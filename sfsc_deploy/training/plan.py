"""From a request to a recipe, a data set and a folder: everything that can be wrong is found before training."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import refuse_unwritable
from sfsc_deploy.probe import refuse_too_few
from sfsc_deploy.run_folder import CHECKPOINT, LATEST, RECIPE, RUNS, WEIGHTS, RunFolder, read_settings
from sfsc_deploy.training.request import TrainRequest
from trainer.recipe import Recipe, parse_recipe
from trainer.weight_file import WeightFile, digest, read


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run that is ready to start."""

    folder: Path
    recipe: Recipe
    data: DataSet
    preprocessing: Preprocessing
    checkpoint: Path | None
    """Where to go on from; None for a new run."""
    old_generation: RunFolder | None
    """What the run must fit; None where it needn't fit any."""
    initial: WeightFile | None = None
    """What the run begins with; None: random weights, or those of the checkpoint."""


def prepare(request: TrainRequest) -> Prepared:
    """Resolves a request.

    Raises:
        SfscError: images, folder or recipe file that can't be used.
        TrainerError: a recipe that isn't valid.
    """
    return _resumed(request, request.resume) if request.resume else _new(request)


def _new(request: TrainRequest) -> Prepared:
    recipe = resolve_recipe(request)
    if request.out:
        _refuse_occupied(request.out)
    old = _old_generation(request.compatible_with, recipe)
    data = _open(request.data, skip_unreadable=request.skip_unreadable)
    folder = request.out or _next_free(data.name)
    initial = read(recipe.init.file, recipe.init.sha256) if recipe.init else None
    return Prepared(folder, recipe, data, _preprocessing(recipe), None, old, initial)


def _resumed(request: TrainRequest, folder: Path) -> Prepared:
    run = RunFolder.open(folder)
    checkpoint = folder / CHECKPOINT
    if run.facts.space is not None:
        raise SfscError(
            f"The run in {folder} has finished: there is nothing to resume.", "Train anew with another --out."
        )
    if not checkpoint.exists():
        raise SfscError(
            f"{folder} has no {CHECKPOINT}: it was stopped before its first epoch ended.",
            "Train anew with another --out.",
        )
    recipe = parse_recipe(merged(run.recipe.model_dump(), _asked(request)), "the command line")
    root = request.data or (Path(run.facts.root) if run.facts.root else None)
    data = _open(root, skip_unreadable=request.skip_unreadable)
    return Prepared(folder, recipe, data, _preprocessing(recipe), checkpoint, _still_there(run, recipe))


def _still_there(run: RunFolder, recipe: Recipe) -> RunFolder | None:
    """The generation that an interrupted run has to fit, which must be the one that it was begun for."""
    begun_for = run.facts.compatible_with
    old = _old_generation(Path(begun_for.run), recipe) if begun_for else None
    if old and begun_for and old.space != begun_for.space:
        raise SfscError(
            f"{old.path} isn't the run any more that {run.path} was begun to be compatible with.",
            "Restore it, or train anew with another --out.",
        )
    return old


def _old_generation(folder: Path | None, recipe: Recipe) -> RunFolder | None:
    """Opens it, finished and with embeddings as long as the new ones."""
    if folder is None:
        return None
    old = RunFolder.open(folder)
    if old.dim != recipe.embedding_dim:
        raise SfscError(
            f"{folder} has embeddings of {old.dim} numbers, the new run would have {recipe.embedding_dim}: neither "
            "could be searched for in a gallery of the other.",
            f"Train with --embedding-dim {old.dim}.",
        )
    return old if old.space else None


def _open(root: Path | None, *, skip_unreadable: bool) -> DataSet:
    data = open_dataset(root, skip_unreadable=skip_unreadable)
    refuse_too_few(data.query, data.gallery, origin=data.name)
    return data


def resolve_recipe(request: TrainRequest) -> Recipe:
    """The recipe of a new run, with the digest of the weights that it begins with.

    Raises:
        SfscError: its file can't be read.
        TrainerError: it isn't valid, or the weights can't be read.
    """
    recipe = parse_recipe(_asked(request), _source(request))
    if recipe.init is not None:
        _refuse_own_weights(Path(recipe.init.file))
    if recipe.init is None or recipe.init.sha256:
        return recipe
    known = recipe.init.model_copy(update={"sha256": digest(recipe.init.file)})
    return recipe.model_copy(update={"init": known})


def _source(request: TrainRequest) -> str:
    """Where the settings come from."""
    parts = [str(request.recipe)] if request.recipe else []
    return " and ".join([*parts, "the command line"] if request.overrides or not parts else parts)


def _refuse_own_weights(file: Path) -> None:
    """Weights of a run of our own aren't what others have trained: who names them means another option."""
    run = file if file.is_dir() else file.parent
    if not (run / RECIPE).exists() or (file.is_file() and file.name not in (WEIGHTS, CHECKPOINT)):
        return
    raise SfscError(
        f"{file} is of a run of sfsc-deploy; --init takes weights of torchvision or timm.",
        f"Train with --compatible-with {run}: it begins with the weights of that run where both are built alike, and "
        "keeps its galleries searchable.",
    )


def _asked(request: TrainRequest) -> dict[str, Any]:
    settings = _read_settings(request.recipe) if request.recipe else {}
    if "init" in request.overrides:
        settings.pop("init", None)  # the digest in it is that of another file
    return merged(settings, request.overrides)


def merged(settings: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Single settings of a table leave the others as they are."""
    inner = {
        name: merged(settings[name], value)
        for name, value in overrides.items()
        if isinstance(value, Mapping) and isinstance(settings.get(name), dict)
    }
    return settings | dict(overrides) | inner


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        return read_settings(file)[0]
    except OSError as error:
        raise SfscError(f"The recipe {file} can't be read: {error.strerror}.", "Check the path of --recipe.") from None
    except ValueError as error:
        raise SfscError(f"The recipe {file} is not TOML: {error}.", "Mend the file.") from None


def _preprocessing(recipe: Recipe) -> Preprocessing:
    height, width = recipe.image_size
    return Preprocessing(height=height, width=width)


def _refuse_occupied(folder: Path) -> None:
    refuse_unwritable(folder, folder=True)
    if folder.name == LATEST:
        raise SfscError(f"{folder} is where the newest finished run is linked.", "Choose another --out.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if (folder / RECIPE).exists():
        unfinished = RunFolder.open(folder).facts.space is None
        go_on = f", or go on with it: sfsc-deploy train --resume {folder}" if unfinished else ""
        raise SfscError(f"{folder} holds another run.", f"Choose another --out, or remove the folder{go_on}.")
    raise SfscError(f"{folder} is not empty.", "Choose another --out.")


def _next_free(name: str) -> Path:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    number = 1
    while (RUNS / f"{stem}-{number}").exists():
        number += 1
    return RUNS / f"{stem}-{number}"
