"""The files that `sfsc-deploy verify-compat` was told to read or write: refused before any work is done."""

from collections.abc import Mapping
from pathlib import Path

from sfsc_deploy.cli.console import STANDARD_OUTPUT
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import refuse_unwritable


def refuse_absent_gallery(gallery: Path) -> None:
    """Make sure that there is a file of stored embeddings.

    Raises:
        SfscError: nothing is there, or no file.
    """
    if not gallery.is_file():
        what = "is not a file of stored embeddings" if gallery.exists() else "does not exist"
        raise SfscError(
            f"--gallery: {gallery} {what}.",
            "Check the path, or store them: sfsc-deploy embed ARTIFACT --data DIR --out FILE.safetensors",
        )


def refuse_outputs(outputs: Mapping[str, Path | None]) -> None:
    """Make sure that each output can be written, to a file of its own.

    Args:
        outputs: where each goes, by its option; None where it wasn't asked for.

    Raises:
        SfscError: a file can't be written, or two of them are one.
    """
    options: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None or (option == "--json" and path == STANDARD_OUTPUT):
            continue
        refuse_unwritable(path)
        other = options.setdefault(path.resolve(), option)
        if other != option:
            raise SfscError(f"{other} and {option} both name {path}: one would replace the other.", "Name two files.")
