"""Named numpy arrays and one JSON header in a safetensors file, read with distrust."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing


@dataclass(frozen=True, eq=False)
class TensorFile:
    """What a safetensors file holds.

    Attributes:
        path: the file, for errors.
        arrays: the arrays by name.
        metadata: the text entries of the header.
    """

    path: Path
    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, str]

    def take(self, name: str, dtype: DTypeLike, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """The array called `name`, which must have this dtype and shape (None: any length).

        Raises:
            SfscError: it is absent or different.
        """
        array = self.arrays.get(name)
        if array is None:
            raise SfscError(f"{self.path} has no tensor `{name}`.")
        fits = array.ndim == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
        )
        if array.dtype != np.dtype(dtype) or not fits:
            expected = ", ".join("any" if length is None else str(length) for length in shape)
            raise SfscError(
                f"{self.path}: tensor `{name}` is {array.dtype} {list(array.shape)}, "
                f"expected {np.dtype(dtype)} [{expected}]."
            )
        return array


def read_tensors(path: Path) -> TensorFile:
    """Read a safetensors file.

    Raises:
        SfscError: absent, truncated, or no safetensors file.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise SfscError(f"{path} is not a file.", "Check the path.")
    try:
        with safe_open(path, framework="numpy") as opened:
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no iterator)
            return TensorFile(path, arrays, opened.metadata() or {})
    except Exception as error:  # the library raises its own type, OSError, TypeError, ...
        raise SfscError(
            f"{path} cannot be read as safetensors: {error}.", "It is truncated or damaged: fetch or write it anew."
        ) from error


def write_tensors(path: Path, arrays: Mapping[str, NDArray[Any]], key: str, header: str) -> None:
    """Write `arrays` and the text `header` under the one metadata entry `key`.

    One entry, because the order of several is not the same each time, and equal contents must have equal hashes.
    """
    from safetensors.numpy import save

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with replacing(path) as temporary:
        # By way of bytes: `save_file` makes a file that only its owner may read.
        temporary.write_bytes(save(contiguous, metadata={key: header}))
