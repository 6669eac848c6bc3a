"""The learning rate as a function of the step alone."""

import pytest

from trainer.recipe import Recipe
from trainer.schedule import learning_rate

RECIPE = Recipe(epochs=5, warmup_epochs=1, learning_rate=0.8)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.8 / 5),
        (3, 0.8 * 4 / 5),
        (4, 0.8),
        (12, 0.4),
        (8, 0.8 * (1 + 2**-0.5) / 2),
    ],
)
def test_warm_up_then_half_a_cosine(step: int, rate: float) -> None:
    assert learning_rate(RECIPE, step, steps_per_epoch=4) == pytest.approx(rate)


def test_it_rises_then_falls_and_never_reaches_zero() -> None:
    rates = [learning_rate(RECIPE, step, 4) for step in range(20)]
    assert rates[:5] == sorted(rates[:5])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert min(rates) > 0


@pytest.mark.parametrize("warmup", [0, 0.5, 9])
def test_any_warm_up_gives_a_rate_for_every_step(warmup: float) -> None:
    recipe = RECIPE.model_copy(update={"warmup_epochs": warmup})
    assert all(0 < learning_rate(recipe, step, 4) <= 0.8 for step in range(20))
