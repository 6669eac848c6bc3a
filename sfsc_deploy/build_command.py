"""The command that builds an engine, from where the user stands: sidecars tell it as of their own folder."""

from pathlib import Path

from exporters.build_recipe import build_command, recipe_of


def build_command_here(artifact: Path, told: str | None, *, overwrite: bool = False) -> str | None:
    """The command with the folder of the recipe in it, so that it can be typed as it is.

    Args:
        artifact: the engine, where it lies or would lie, or the ONNX file that it is built from.
        told: what its sidecar says; that holds where no recipe lies beside it, so that it is built elsewhere.
        overwrite: whether an engine stands in the way.

    Returns:
        None where nothing tells one.
    """
    recipe = recipe_of(artifact)
    command = build_command(str(recipe)) if recipe.exists() else told
    return f"{command} --overwrite" if command and overwrite else command
