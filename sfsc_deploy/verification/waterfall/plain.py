"""Runs a file as plainly as can be: operator by operator, as it is written."""

import sys
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.artifact import Sidecar
from sfsc_deploy.build_command import build_command_here
from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import extra_of, install_command
from sfsc_deploy.files import sha256_of
from sfsc_deploy.formats import format_of
from sfsc_deploy.runtime import BackendUnavailable, Embedder
from sfsc_deploy.verification.subject import Subject
from sfsc_deploy.verification.waterfall.chain import Gap, Station

_Rows = NDArray[np.float32]
_ASK = "sfsc-deploy verify-compat ... --waterfall"


def plainly(path: Path, images: NDArray[np.uint8]) -> _Rows:
    """Embed with ONNX Runtime and its optimisations switched off, or with the reference executor.

    Args:
        path: an ONNX file or CoreML package.
        images: uint8 [N, H, W, 3].

    Raises:
        SfscError: it can't be read or run.
        ModuleNotFoundError: what runs it is not installed.
    """
    if path.suffix == ".mlpackage":
        return _by_executor(path, images)
    from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder

    with OnnxEmbedder(path, optimised=False) as embedder:
        return embedder.embed(images)


def _by_executor(path: Path, images: NDArray[np.uint8]) -> _Rows:
    from sfsc_deploy.runtime.coreml_package import read_package
    from sfsc_deploy.runtime.mil_executor.predictor import ReferenceExecutor

    executor = ReferenceExecutor(read_package(path))
    return np.stack([executor.predict(image) for image in images])


def artifact_stations(
    subject: Subject, embedder: Embedder, own: _Rows, images: NDArray[np.uint8], *, wanted: bool
) -> list[Station]:
    """The ends of the last steps of the model: the artifact run plainly, and run by its own backend.

    Args:
        subject: the artifact, or what was recorded of it.
        embedder: what ran it.
        own: what that gave for `images`, float32 [N, D].
        images: uint8 [N, H, W, 3].
        wanted: whether running it again is worth the time.
    """
    if subject.kind == "package" and sys.platform != "darwin":
        command = f"sfsc-deploy embed {subject.path} --out {subject.path.stem}.safetensors"
        why = "Only a Mac has Core ML: the reference executor ran it. Record it there, and verify the recording."
        return [Station("precision", own), Station("backend", Gap(why, command, beside=True))]
    found = _run_plainly(subject, embedder, images) if wanted else Gap("It was not asked for.", _ASK)
    return [Station("precision", found), Station("backend", own)]


def _run_plainly(subject: Subject, embedder: Embedder, images: NDArray[np.uint8]) -> _Rows | Gap:
    path = _plain_file(subject, embedder)
    if isinstance(path, Gap):
        return path
    try:
        return plainly(path, images)
    except BackendUnavailable as error:
        return Gap(error.why, error.command)
    except SfscError as error:
        return Gap(error.message, error.remedy)
    except ModuleNotFoundError as error:
        extra = extra_of(error.name or "")
        return Gap(f"It takes {error.name}, which is not installed here.", install_command(extra) if extra else None)


def _plain_file(subject: Subject, embedder: Embedder) -> Path | Gap:
    """What can be run plainly: the artifact itself, or the ONNX file that an engine was built from."""
    name = subject.path
    if subject.kind == "recorded":
        from sfsc_deploy.runtime.recorded import RecordedEmbedder

        assert isinstance(embedder, RecordedEmbedder)
        ran = PureWindowsPath(embedder.recording.artifact)
        if not ran.suffix:  # so that it is the name of no file, be it "" or ".."
            return Gap(f"{subject.path.name} names no artifact that it was recorded from.")
        name = subject.path.with_name(ran.name)
    known = format_of(name.suffix)
    if known and known.optimised:
        return Gap("It holds the graph as it was optimised when it was exported; nothing runs it otherwise.")
    path = name if name.suffix == ".mlpackage" else name.with_suffix(".onnx")
    return path if path == subject.path else _checked(path, subject.sidecar)


def _checked(path: Path, sidecar: Sidecar | None) -> Path | Gap:
    if sidecar is None:
        return Gap(f"No sidecar tells whether {path.name} is what it was made from.")
    expected = sidecar.files.get(path.name, sidecar.build.onnx_sha256)
    if expected is None:
        command = build_command_here(path, sidecar.build.command, overwrite=True)
        return Gap(f"Its sidecar doesn't tell the {path.name} that it was made from.", command)
    if not path.exists():
        return Gap(f"{path} is not at hand.", f"Copy {path.name} beside it")
    if sha256_of(path) != expected:
        return Gap(f"{path} is another one than it was made from.")
    return path
