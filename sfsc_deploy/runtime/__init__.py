"""One call for every format: `load(subject)` gives an embedder.

A backend is imported only when a subject needs it.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from exporters.formats import FORMATS
from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import extra_of, install_command
from sfsc_deploy.runtime.embedder import MAX_BATCH, Embedder
from sfsc_deploy.runtime.unavailable import BackendMissing, BackendUnavailable, unavailable_package

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
        subject: an ONNX file, a TensorRT engine on its device, a CoreML package, a run folder ("runs/a" for its widest
            sub-model, "runs/a@0.5" for another), or recorded embeddings (`.safetensors`).
        max_batch: most images in one call of the backend.
        device: torch device, for run folders.
        providers: execution providers of ONNX Runtime, for ONNX files; None: the CPU.
        threads: threads inside an operator of ONNX Runtime; None: as many as there are cores.
        compute_units: of a Mac, for CoreML packages, as "CPU_AND_NE"; None: those of the package's profile.

    Returns:
        The embedder: use it as a context manager.

    Raises:
        BackendUnavailable: a format that cannot be run here; says why and what completes it on the device.
        SfscError: absent, unreadable or of an unknown kind, or the extra that runs it is not installed.
    """
    path = Path(subject)
    with _missing_extra_explained(subject):
        match path.suffix:
            case ".onnx":
                from sfsc_deploy.runtime.onnx_backend import CPU, OnnxEmbedder

                return OnnxEmbedder(path, providers=providers or (CPU,), threads=threads, max_batch=max_batch)
            case ".safetensors":
                from sfsc_deploy.runtime.recorded import RecordedEmbedder

                return RecordedEmbedder(path)
            case ".engine" | ".plan":
                from sfsc_deploy.runtime.engine.opening import open_engine

                return open_engine(path, max_batch)
            case ".mlpackage":
                return _load_package(path, max_batch, compute_units)
            case _:
                return _load_run(str(subject), device, max_batch)


def _load_package(path: Path, max_batch: int, compute_units: str | None) -> Embedder:
    if importlib.util.find_spec("coremltools") is None:
        why = f"coremltools is not installed ({install_command('coreml')}; {FORMATS['coreml'].no_wheel})."
        raise unavailable_package(path, why)
    from sfsc_deploy.runtime.coreml_backend import CoremlEmbedder

    return CoremlEmbedder(path, compute_units=compute_units, max_batch=max_batch)


def _load_run(subject: str, device: str, max_batch: int) -> Embedder:
    from sfsc_deploy.run_folder import RunFolder, parse

    folder, width = parse(subject)
    if not folder.is_dir():
        raise SfscError(
            f"{subject} is no subject that can be loaded.",
            "Give an .onnx, .engine, .plan or .mlpackage file, a run folder (runs/NAME or runs/NAME@WIDTH), or "
            "recorded embeddings (.safetensors).",
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
