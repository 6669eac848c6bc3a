"""What the subjects of a command stand for: run folders, their sub-models, artifacts."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sfsc_deploy.errors import SfscError

if TYPE_CHECKING:
    from sfsc_deploy.data.images import Preprocessing
    from sfsc_deploy.runtime import Embedder


def latest_run() -> str:
    """The newest finished run."""
    from sfsc_deploy.run_folder import RunFolder

    return str(RunFolder.latest().path)


def sub_models(subjects: Iterable[str]) -> Iterator[str]:
    """The subjects, a run folder without a width taken for all of its widths."""
    from sfsc_deploy.run_folder import RunFolder, parse

    for subject in subjects:
        folder, width = parse(subject)
        if _is_run(folder) and width is None:
            yield from (f"{subject}@{trained:g}" for trained in RunFolder.open(folder).widths)
        else:
            yield subject


def images_of(subjects: Sequence[str]) -> Path | None:
    """What the first run among the subjects was trained on; None: the drawn images.

    Raises:
        SfscError: there is no run among them to tell, or one of them doesn't exist.
    """
    from sfsc_deploy.run_folder import RunFolder, parse

    folders = (parse(subject)[0] for subject in subjects)
    run = next((RunFolder.open(folder) for folder in folders if _is_run(folder)), None)
    if run is None:
        for subject in subjects:
            _refuse_absent(subject)
        raise SfscError("Artifacts don't tell which images to search in.", "Name labelled images with --data DIR.")
    return Path(run.facts.root) if run.facts.root else None


def preprocessing_of(model: "Embedder") -> "Preprocessing":
    """How images are prepared for a model.

    Raises:
        SfscError: the model doesn't say.
    """
    if model.preprocessing is None:
        raise SfscError(f"{model.name} doesn't say how images are prepared for it.", "Put its sidecar beside it.")
    return model.preprocessing


def _is_run(folder: Path) -> bool:
    """A CoreML package is a folder as well."""
    from sfsc_deploy.run_folder import RECIPE

    return (folder / RECIPE).is_file()


def _refuse_absent(subject: str) -> None:
    from sfsc_deploy.run_folder import parse

    if not parse(subject)[0].exists():
        raise SfscError(f"{subject} does not exist.", "Check the path.")
