"""`sfsc-deploy eval`: how well models find one another's embeddings on labelled images."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfsc_deploy.cli.console import results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option
from sfsc_deploy.cli.subjects import images_of, latest_run, preprocessing_of, sub_models
from sfsc_deploy.errors import SfscError

if TYPE_CHECKING:
    from sfsc_deploy.data.images import Preprocessing
    from sfsc_deploy.evaluation import Evaluation
    from sfsc_deploy.runtime import Embedder


def evaluate(
    subjects: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUBJECT",
            help="Run folders (all widths, or one: runs/a@0.5), artifacts, recorded embeddings. "
            "[dim]\\[default: the latest run][/dim]",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        option("DIR|FILE.csv", "Labelled images to search in.", default="those of a run among them", panel="Images"),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure the cross-test matrix: queries embedded by each model, searched in the gallery of each other."""
    from sfsc_deploy.cli.tables import evaluation_table

    evaluation = _evaluate(subjects or [], data)
    title = f"Cross-test on {evaluation.data}: {evaluation.queries} queries, {evaluation.gallery} gallery images"
    results(json_file).print(evaluation_table(evaluation.names, evaluation.map, evaluation.rank1, title))
    write_json(evaluation.to_json(), json_file)


def _evaluate(subjects: list[str], data: Path | None) -> "Evaluation":
    from sfsc_deploy.data.layouts import open_dataset
    from sfsc_deploy.evaluation import HeldOut, cross_test
    from sfsc_deploy.runtime import load

    subjects = subjects or [latest_run()]
    images = open_dataset(data or images_of(subjects), with_train=False)
    with ExitStack() as stack:
        models = {name: stack.enter_context(load(name)) for name in sub_models(subjects)}
        held_out = HeldOut.of(images, _shared_preprocessing(models.values()))
        return cross_test({name: model.embed for name, model in models.items()}, held_out)


def _shared_preprocessing(models: "Iterable[Embedder]") -> "Preprocessing":
    """The one way of preparing images that all models state."""
    stated = {preprocessing_of(model): model.name for model in models}
    preprocessing, *others = stated
    if others:
        raise SfscError(f"{' and '.join(stated.values())} prepare images differently.", "Evaluate them one by one.")
    return preprocessing
