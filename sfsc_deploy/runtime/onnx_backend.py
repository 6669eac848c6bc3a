"""Whatever ONNX Runtime reads, ONNX files above all; neither torch nor onnx is imported here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sfsc_deploy.artifact import Description, read_embedded, read_sidecar, sidecar_path
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import onnx_claims, ort_claims
from sfsc_deploy.runtime.embedder import MAX_BATCH, Embedder
from sfsc_deploy.runtime.settings import Settings
from sfsc_deploy.wording import number_of

CPU = "CPUExecutionProvider"
_ONNX = ".onnx"
_FOLDED = "optimization.constant_folding_max_output_size_in_bytes"  # versions that don't know it pass it over
_FATAL = 4
_REASON = 240  # characters of a message of ONNX Runtime, which can go on for pages

Shape = tuple[int | str | None, ...]
"""A declared shape: a symbolic dimension is its name, an unnamed one None."""


@dataclass(frozen=True)
class TensorFact:
    """An input or output as the file declares it; `type` in the words of ONNX Runtime."""

    name: str
    type: str
    shape: Shape


class OnnxEmbedder(Embedder):
    """An ONNX file. What it declares is kept as facts, right or wrong, for verification to judge.

    Attributes:
        inputs: what it declares to take, at least one.
        outputs: what it declares to give, at least one.
    """

    def __init__(
        self,
        path: Path,
        *,
        providers: Sequence[str] = (CPU,),
        threads: int | None = None,
        max_batch: int = MAX_BATCH,
        optimised: bool = True,
    ) -> None:
        """Load the file and, where there is one, its sidecar.

        Args:
            path: the ONNX file.
            providers: execution providers of ONNX Runtime, first choice first.
            threads: threads inside an operator; None: as many as there are cores.
            max_batch: most images in one call.
            optimised: whether ONNX Runtime may rewrite the graph; else it runs operator by operator, as written.

        Raises:
            SfscError: a provider is absent or gives way to another, or the file is not readable or not usable at all.
        """
        self._session = _open_session(path, providers, _options(threads, optimised=optimised))
        self.inputs = tuple(_fact(declared) for declared in self._session.get_inputs())
        self.outputs = tuple(_fact(declared) for declared in self._session.get_outputs())
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        if not (self.inputs and self.outputs):
            raise SfscError(f"{path} has no input or no output.", "Export it anew.")
        sidecar = read_sidecar(path) if sidecar_path(path).exists() else None
        known = sidecar or read_embedded(self.metadata, path)
        super().__init__(
            str(path),
            backend=f"onnxruntime {onnxruntime.__version__}, {self._session.get_providers()[0]}",
            dim=_dim(path, self.output_shape, known),
            space=known.space if known else None,
            preprocessing=known.input.preprocessing if known else None,
            sidecar=sidecar,
            size=_size(self.input_shape),
            max_batch=max_batch,
        )

    @property
    def input_type(self) -> str:
        """Element type of the first input in the words of ONNX Runtime, e.g. "tensor(uint8)"."""
        return self.inputs[0].type

    @property
    def input_shape(self) -> Shape:
        """Declared shape of the first input."""
        return self.inputs[0].shape

    @property
    def output_type(self) -> str:
        """Element type of the first output in the words of ONNX Runtime, e.g. "tensor(float)"."""
        return self.outputs[0].type

    @property
    def output_shape(self) -> Shape:
        """Declared shape of the first output."""
        return self.outputs[0].shape

    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            (embedding,) = self._session.run([self.outputs[0].name], {self.inputs[0].name: images})
            return np.asarray(embedding)
        except Exception as error:  # the types of ONNX Runtime have no base of their own
            batch = number_of(len(images), "image")
            raise SfscError(f"{self.name} failed on a batch of {batch}: {_reason(error)}", "Export it anew.") from error

    def _release(self) -> None:
        self._session = None


def open_artifact(path: Path, settings: Settings) -> OnnxEmbedder:
    """Open what ONNX Runtime reads; raises what `OnnxEmbedder` does."""
    return OnnxEmbedder(
        path, providers=settings.providers or (CPU,), threads=settings.threads, max_batch=settings.max_batch
    )


def _open_session(path: Path, providers: Sequence[str], options: Any) -> Any:
    offered = onnxruntime.get_available_providers()
    absent = [provider for provider in providers if provider not in offered]
    if absent:
        raise SfscError(
            f"This build of ONNX Runtime has no {', '.join(absent)}.", f"Choose among: {', '.join(offered)}."
        )
    if not path.is_file():
        raise SfscError(f"{path} does not exist.", "Check the path, or export it: `sfsc-deploy export`.")
    try:
        (onnx_claims if path.suffix == _ONNX else ort_claims).refuse_claims(path)
        # On the CPU a second try would be the same again, and is announced on standard output.
        again = int(providers[0] != CPU)
        session = onnxruntime.InferenceSession(path, options, providers=list(providers), enable_fallback=again)
    except SfscError:
        raise
    except Exception as error:  # the types of ONNX Runtime have no base of their own
        raise SfscError(
            f"{path} cannot be read as {path.suffix[1:].upper()}: {_reason(error)}", "Copy or export it anew."
        ) from error
    _refuse_fallback(path, providers[0], session)
    return session


def _refuse_fallback(path: Path, asked: str, session: Any) -> None:
    """ONNX Runtime takes another provider where one can't start: figures under a wrong name."""
    session.disable_fallback()  # nor later, when a batch fails
    runs = session.get_providers()[0]
    if runs != asked:
        raise SfscError(
            f"{path} was to run with {asked}, but that can't start here: ONNX Runtime fell back to {runs}.",
            f"Install what {asked} needs, or ask for {runs}.",
        )


def _options(threads: int | None, *, optimised: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.use_deterministic_compute = True
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry(_FOLDED, str(4 * onnx_claims.LARGEST))
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _fact(declared: Any) -> TensorFact:
    return TensorFact(declared.name, declared.type, tuple(declared.shape))


def _dim(path: Path, shape: Shape, known: Description | None) -> int:
    stated = shape[-1] if shape else None
    if isinstance(stated, int):
        return stated
    if known is None:
        raise SfscError(f"{path} does not state the dimension of its embedding.", "Export it anew.")
    return known.dim


def _size(shape: Shape) -> tuple[int, int] | None:
    if len(shape) != 4 or shape[3] != 3:
        return None
    height, width = shape[1:3]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _reason(error: Exception) -> str:
    return shorten(str(error), _REASON)
