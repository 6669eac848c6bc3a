"""The reference: a sub-model in torch, float32 throughout."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from exporters.deployable import Deployable
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.runtime.embedder import MAX_BATCH, Embedder
from sfsc_deploy.slicing import slice_submodel
from trainer.networks import Networks


class TorchEmbedder(Embedder):
    """A sub-model of a supernet, with no shortcut that costs accuracy: what artifacts are compared with.

    Args:
        networks: left as they are.
        width: width multiplier of the sub-model.
        preprocessing: of the supernet.
        name: how messages call it.
        space: id of the embedding space; None while it is still trained.
        device: torch device.
        max_batch: most images in one call.
        submodel: of a width that was not trained; None: the slice of a trained one.

    Raises:
        SfscError: the supernet has no such width.
    """

    def __init__(
        self,
        networks: Networks,
        width: float,
        preprocessing: Preprocessing,
        *,
        name: str = "supernet",
        space: str | None = None,
        device: str = "cpu",
        max_batch: int = MAX_BATCH,
        submodel: torch.nn.Module | None = None,
    ) -> None:
        super().__init__(
            name,
            backend=f"torch {torch.__version__}, {device}",
            dim=networks.dim,
            space=space,
            preprocessing=preprocessing,
            size=(preprocessing.height, preprocessing.width),
            max_batch=max_batch,
        )
        self.width = width
        submodel = copy.deepcopy(submodel) if submodel else slice_submodel(networks, width)
        model = Deployable(submodel.float(), preprocessing.mean, preprocessing.std)
        self._device = torch.device(device)
        self._model: torch.nn.Module | None = model.eval().to(self._device)

    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self._model is not None
        try:
            with exact_float32():
                image = torch.tensor(np.ascontiguousarray(images), device=self._device)
                embedding: NDArray[np.float32] = self._model(image).cpu().numpy()
                return embedding
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise SfscError(
                f"{self.name} failed on a batch of {len(images)} images: {reason}", "Try a smaller batch."
            ) from error

    def _release(self) -> None:
        self._model = None


def reference(
    run: RunFolder, width: float | None = None, *, device: str = "cpu", max_batch: int = MAX_BATCH
) -> TorchEmbedder:
    """The reference of a width of a run.

    Args:
        run: a finished run.
        width: width multiplier of the sub-model; None: the widest.
        device: torch device.
        max_batch: most images in one call.

    Raises:
        SfscError: the run has no such width, or its weights cannot be read.
    """
    chosen = run.width(width)
    return TorchEmbedder(
        run.networks(),
        chosen,
        run.preprocessing,
        name=f"{run.path}@{chosen:g}",
        space=run.space,
        device=device,
        max_batch=max_batch,
    )


@contextmanager
def exact_float32() -> Iterator[None]:
    """Inference without TF32 and without kernels chosen by timing them."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = False
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield
    finally:
        matmul.allow_tf32 = before
