"""One call for every format: `load(subject)` gives an embedder.

A backend is imported only when a subject needs it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import cast

from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import extra_of, install_command
from sfsc_deploy.formats import format_of, known_suffixes
from sfsc_deploy.runtime.embedder import MAX_BATCH, Embedder
from sfsc_deploy.runtime.settings import Settings
from sfsc_deploy.runtime.unavailable import BackendMissing, BackendUnavailable

__all__ = ["MAX_BATCH", "BackendMissing", "BackendUnavailable", "Embedder", "load"]


def load(
    subject: str | Path,
    *,
    max_batch: int = MAX_BATCH,
    device: str = "cpu",
    providers: Sequence[str] | None = None,
    threads: int | None = None,
    compute_units: str | None = None,
) -> Embedder:
    """Make a subject ready to embed, whatever its format.

    Args:
        subject: an artifact in any format of `sfsc_deploy.formats`, a run folder ("runs/a" for its widest sub-model,
            "runs/a@0.5" for another), or recorded embeddings (`.safetensors`).
        max_batch: most images in one call of the backend.
        device: torch device, for run folders.
        providers: execution providers of ONNX Runtime, where that runs it; None: the CPU.
        threads: threads inside an operator of ONNX Runtime; None: as many as there are cores.
        compute_units: of a Mac, for CoreML packages, as "CPU_AND_NE"; None: those of the package's profile.

    Returns:
        The embedder: use it as a context manager.

    Raises:
        BackendUnavailable: a format that cannot be run here; says why and what completes it on the device.
        SfscError: absent, unreadable or of an unknown kind, or the extra that runs it is not installed.
    """
    path = Path(subject)
    known = format_of(path.suffix)
    with _missing_extra_explained(subject):
        if known is not None:
            settings = Settings(max_batch, providers, threads, compute_units)
            return cast("Embedder", import_module(known.runtime).open_artifact(path, settings))
        if path.suffix == ".safetensors":
            from sfsc_deploy.runtime.recorded import RecordedEmbedder

            return RecordedEmbedder(path)
        return _load_run(str(subject), device, max_batch)


def _load_run(subject: str, device: str, max_batch: int) -> Embedder:
    from sfsc_deploy.run_folder import RunFolder, parse

    folder, width = parse(subject)
    if not folder.is_dir():
        raise SfscError(
            f"{subject} is no subject that can be loaded.",
            f"Give an {known_suffixes()} file, a run folder (runs/NAME or runs/NAME@WIDTH), or recorded embeddings "
            "(.safetensors).",
        )
    from sfsc_deploy.runtime.torch_backend import reference

    return reference(RunFolder.open(folder), width, device=device, max_batch=max_batch)


@contextmanager
def _missing_extra_explained(subject: str | Path) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        extra = extra_of(error.name or "")
        if extra is None:
            raise
        raise BackendMissing(
            f"{subject} needs {error.name}, which is not installed.", f"Install it: `{install_command(extra)}`."
        ) from error
