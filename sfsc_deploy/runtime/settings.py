"""How an artifact is to be run; each backend heeds what concerns it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sfsc_deploy.runtime.embedder import MAX_BATCH


@dataclass(frozen=True)
class Settings:
    """What `load` was asked for.

    Attributes:
        max_batch: most images in one call of the backend.
        providers: execution providers of ONNX Runtime; None: the CPU.
        threads: threads inside an operator of ONNX Runtime; None: as many as there are cores.
        compute_units: of a Mac, for CoreML packages; None: those of the package's profile.
    """

    max_batch: int = MAX_BATCH
    providers: Sequence[str] | None = None
    threads: int | None = None
    compute_units: str | None = None
