"""The learning rate as a function of the step alone, so that a resumed run needs no state for it."""

import math

from trainer.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up, then a half cosine to zero (arXiv 1608.03983).

    Args:
        recipe: peak rate, warm-up and number of epochs.
        step: from 0.
        steps_per_epoch: number of batches of an epoch.
    """
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        return recipe.learning_rate * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, recipe.epochs * steps_per_epoch - warmup)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
