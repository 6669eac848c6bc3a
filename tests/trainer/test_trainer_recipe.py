"""A recipe that can't be trained is refused by the name of its setting."""

from typing import Any

import pytest
from pydantic import ValidationError

from trainer.errors import TrainerError
from trainer.recipe import Recipe, parse_recipe

INFINITE = float("inf")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"widths": []}, "widths: widths are shares"),
        ({"widths": [0.0, 1.0]}, "widths: widths are shares"),
        ({"widths": [-0.5, 1.0]}, "widths: widths are shares"),
        ({"widths": [0.5, 1.5]}, "widths: widths are shares"),
        ({"widths": [float("nan"), 1.0]}, "widths"),
        ({"widths": [0.5, 0.5, 1.0]}, "widths: a width appears twice"),
        ({"widths": [0.25, 0.5]}, r"widths: the widest must be 1\.0"),
        ({"widths": ["wide", 1.0]}, r"widths\.0"),
        ({"batch_size": 30}, "recipe: batch_size 30 is not a multiple, at least twice, of images_per_identity 4"),
        ({"batch_size": 4}, "recipe: batch_size 4 is not a multiple, at least twice"),
        ({"batch_size": 0}, "batch_size"),
        ({"images_per_identity": 1}, "images_per_identity"),
        ({"embedding_dim": 1}, "embedding_dim"),
        ({"image_size": 0}, "image_size"),
        ({"image_size": [48, -1]}, "image_size"),
        ({"image_size": 5000}, r"image_size\.0: 5000 should be less than or equal to 4096"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": INFINITE}, "learning_rate"),
        ({"momentum": 1}, "momentum"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"amp": "float16"}, "amp"),
        ({"method": "foo"}, "method: 'foo' is not one of sfsc, joint, bct, asymmetric, independent, unified"),
        ({"loss": "arkface"}, r"loss: 'arkface' is not one of .* \(did you mean arcface\?\)"),
        ({"arch": "resnet19"}, r"arch: 'resnet19' is not one of .* \(did you mean resnet18\?\)"),
        ({"device": "gpu"}, "device: 'gpu' is not one of auto, cpu, cuda"),
        ({"augmentation": 3}, "augmentation: 3 should be a table"),
        ({"init": {}}, r"init\.file: is missing"),
        ({"augmentation": {"flip": 2}}, r"augmentation\.flip"),
        ({"compatibility": {"conflict": "sometimes"}}, r"compatibility\.conflict"),
        ({"alignment": "none"}, r"alignment: there is no such setting here; it belongs under \[compatibility\]"),
        ({"learning_rte": 0.1}, r"learning_rte: there is no such setting \(did you mean learning_rate\?\)"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(TrainerError, match=rf"The recipe from my\.toml is not valid: {named}") as caught:
        parse_recipe(settings, "my.toml")
    assert caught.value.remedy


def test_the_settings_are_listed_only_where_one_is_unknown() -> None:
    with pytest.raises(TrainerError) as unknown:
        parse_recipe({"learning_rte": 0.1}, "my.toml")
    with pytest.raises(TrainerError) as wrong:
        parse_recipe({"learning_rate": -1}, "my.toml")
    assert "Known settings: method, loss, arch" in unknown.value.remedy
    with pytest.raises(TrainerError) as inside:
        parse_recipe({"compatibility": {"conflicts": "none"}}, "my.toml")
    assert "Known settings of compatibility: loss, evidence_scale" in inside.value.remedy
    assert "Known settings" not in wrong.value.remedy


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(TrainerError, match=r"epochs: .*; seed: "):
        parse_recipe({"epochs": 0, "seed": -1}, "my.toml")


def test_widths_are_sorted() -> None:
    assert Recipe(widths=(1.0, 0.25, 0.5)).widths == (0.25, 0.5, 1.0)


def test_one_number_is_a_square() -> None:
    assert parse_recipe({"image_size": 64}, "here").image_size == (64, 64)


def test_a_recipe_survives_being_written() -> None:
    recipe = Recipe(widths=(0.1, 0.3, 1.0), image_size=(128, 64), seed=7)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_recipes_differ_only_in_what_their_method_looks_at() -> None:
    """Old runs of other methods stay valid where a default of SFSC changed."""
    taught = {"prototypes": "all", "distillation": 0.5}
    joint, bct = ({"method": method} for method in ("joint", "bct"))
    assert Recipe.model_validate(joint | {"compatibility": taught}).differing(Recipe.model_validate(joint)) == []
    assert Recipe.model_validate({"compatibility": taught}).differing(Recipe()) == ["compatibility"]
    heard = Recipe.model_validate(bct | {"compatibility": {"old_generation": 2.0}})
    assert heard.differing(Recipe.model_validate(bct)) == ["compatibility"]
    assert Recipe.model_validate(joint).differing(Recipe.model_validate(bct)) == ["method"]


def test_a_recipe_never_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().epochs = 3  # type: ignore[misc]


def test_a_batch_divides_into_identities() -> None:
    assert Recipe(batch_size=48, images_per_identity=3).identities_per_batch == 16
