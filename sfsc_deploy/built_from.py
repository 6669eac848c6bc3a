"""The ONNX file that an engine was built from: the one that its sidecar names, and the one that lies beside it."""

from dataclasses import dataclass
from pathlib import Path

from sfsc_deploy.artifact import Sidecar, read_sidecar, sidecar_path
from sfsc_deploy.files import sha256_of
from sfsc_deploy.formats import written_suffix


@dataclass(frozen=True)
class BuiltFrom:
    """What is known of an engine's ONNX file.

    Attributes:
        onnx: where that file lies, if it lies beside the engine.
        recorded: SHA-256 of the file that the engine was built from; None where its sidecar doesn't tell.
        beside: SHA-256 of the file beside the engine; None where there is none.
    """

    onnx: Path
    recorded: str | None
    beside: str | None

    @property
    def problem(self) -> str | None:
        """Why the engine isn't that of the ONNX file beside it, a sentence; None where both agree or one isn't known.

        An engine that was built from an earlier export is whole, but isn't what that file became.
        """
        if self.recorded is None or self.beside in (None, self.recorded):
            return None
        return (
            f"It was built from another export than {self.onnx.name} beside it: from an ONNX file of SHA-256 "
            f"{self.recorded[:12]}, that one has {str(self.beside)[:12]}."
        )


def built_from(engine: Path, sidecar: Sidecar) -> BuiltFrom:
    """Find what an engine was built from.

    Args:
        engine: where it lies or, where it stayed on its device, would lie.
        sidecar: its own, written when it was built.

    Raises:
        SfscError: the ONNX file, or a sidecar in its place, can't be read.
    """
    onnx = engine.with_suffix(written_suffix("onnx"))
    beside = sha256_of(onnx) if onnx.exists() else _hash_left_for(engine, onnx.name)
    return BuiltFrom(onnx, sidecar.build.onnx_sha256, beside)


def _hash_left_for(engine: Path, onnx: str) -> str | None:
    """What the sidecar of an engine that is yet to be built says of its ONNX file."""
    if not sidecar_path(engine).exists():
        return None
    left = read_sidecar(engine)
    return None if left.build.status == "built" else left.files.get(onnx)
