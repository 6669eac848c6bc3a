"""The state of an unfinished run, enough to go on and end at the same weights."""

import json
from pathlib import Path
from typing import Any

import torch

from trainer.errors import TrainerError
from trainer.recipe import Recipe, completed
from trainer.torch_file import load_plain


def save(path: Path, *, recipe: Recipe, images: str, step: int, state: dict[str, Any]) -> None:
    """Writes a checkpoint beside ``path`` and renames it, so that ``path`` is always a whole one.

    Args:
        path: where to.
        recipe: of the run.
        images: a digest of the training images.
        step: number of steps done.
        state: tensors and plain values by name.

    Raises:
        TrainerError: it can't be written, for instance because the disk is full; what was at ``path`` is still there.
    """
    beside = path.with_name(f".{path.name}.partial")
    content = {"recipe": recipe.model_dump_json(), "images": images, "step": step, "state": state}
    try:
        with beside.open("wb") as file:
            torch.save(content, file)
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        raise TrainerError(f"{path} can't be written: {_reason(error)}.", "Free some space, then resume.") from error
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path, *, recipe: Recipe, images: str) -> tuple[int, dict[str, Any]]:
    """Reads a checkpoint of exactly this recipe and these images.

    Returns:
        The number of steps done, and the state.

    Raises:
        TrainerError: not a checkpoint, or one of another recipe or of other images; the difference is named.
    """
    try:
        content: Any = load_plain(path)
        saved, saved_images = Recipe.model_validate(completed(json.loads(content["recipe"]))), content["images"]
        step, state = int(content["step"]), dict(content["state"])
        if step < 0:
            raise ValueError(f"it tells of {step} steps")
    except Exception as error:  # torch raises whatever it stumbles over in a damaged file
        raise TrainerError(
            f"{path} can't be read as a checkpoint: {_reason(error)}.", "Start anew without --resume."
        ) from None
    _refuse_another(path, saved, recipe)
    if saved_images != images:
        raise TrainerError(
            f"{path} was written while training on other images.",
            "Resume with the same --data, or start anew.",
        )
    return step, state


def _reason(error: Exception) -> str:
    """What the system said where it said something, for torch tells of its own bookkeeping instead."""
    if isinstance(error.__context__, OSError):
        error = error.__context__
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said.splitlines()[0].rstrip(".") if said else type(error).__name__


def _refuse_another(path: Path, saved: Recipe, recipe: Recipe) -> None:
    then, now = saved.in_effect(), recipe.in_effect()
    differing = [
        f"{name} (checkpoint {getattr(then, name)}, now {getattr(now, name)})" for name in saved.differing(recipe)
    ]
    if differing:
        raise TrainerError(
            f"{path} belongs to another recipe; they differ in {'; '.join(differing)}.",
            "Resume without these settings, or start anew with another --out.",
        )
