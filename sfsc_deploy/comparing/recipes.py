"""The recipe of each run of a comparison: what all have in common, and what makes it the contender's."""

from typing import Any

from sfsc_deploy.comparing.request import CompareRequest, Contender
from sfsc_deploy.training import TrainRequest
from sfsc_deploy.training.plan import merged, resolve_recipe
from trainer.recipe import Recipe


def settings_of(request: CompareRequest, contender: Contender, seed: int) -> dict[str, Any]:
    """The single settings that go before those of the recipe's file."""
    return merged(dict(request.overrides), {**contender.settings, "seed": seed})


def recipe_of(request: CompareRequest, contender: Contender, seed: int) -> Recipe:
    """By which a contender is trained.

    Raises:
        SfscError: the recipe's file can't be read.
        TrainerError: a recipe that isn't valid.
    """
    return resolve_recipe(TrainRequest(recipe=request.recipe, overrides=settings_of(request, contender, seed)))
