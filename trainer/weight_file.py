"""Files of weights that others have trained: plain tensors by name, and nothing that could run."""

import hashlib
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import TrainerError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_WRAPPERS = ("state_dict", "model")
"""Under what training scripts put the weights, beside the state of their optimiser."""
_DATA_PARALLEL = "module."


@dataclass(frozen=True, eq=False)
class WeightFile:
    """What such a file holds."""

    name: str
    """The path as it was given."""
    tensors: Mapping[str, "Tensor"]
    """By the names of the library that wrote them, on the CPU."""


def digest(file: str) -> str:
    """SHA-256 of a file.

    Raises:
        TrainerError: it can't be read.
    """
    return hashlib.sha256(_content(file)).hexdigest()


def read(file: str, sha256: str | None = None) -> WeightFile:
    """Reads ``.safetensors``, or what ``torch.save`` wrote, without running anything in it.

    Args:
        file: path.
        sha256: that the file must have; None: any.

    Raises:
        TrainerError: absent, damaged, another file than the digest tells, not of a known type, or holding more than
            plain tensors.
    """
    content = _content(file)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise TrainerError(
            f"{file} is another file than the one whose SHA-256 the recipe states ({sha256[:12]}...).",
            "Restore that file, or take sha256 out of the recipe's [init].",
        )
    loaded = _safetensors(file, content) if file.endswith(".safetensors") else _torch(file, content)
    tensors = _tensors(loaded)
    if not tensors:
        raise TrainerError(
            f"{file} holds no tensors by name.", "Give a state_dict of weights, in torchvision's or timm's naming."
        )
    return WeightFile(file, tensors)


def _content(file: str) -> bytes:
    if not file.endswith(SUFFIXES):
        raise TrainerError(f"{file} is not of a known type.", f"Give weights as one of: {', '.join(SUFFIXES)}.")
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise TrainerError(
            f"The weights {file} can't be read: {error.strerror}.", "Check the path of --init."
        ) from None


def _safetensors(file: str, content: bytes) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (SafetensorError, ValueError, LookupError) as error:
        raise _damaged(file, str(error)) from None


def _torch(file: str, content: bytes) -> object:
    from trainer.torch_file import load_plain

    try:
        return load_plain(content)
    except pickle.UnpicklingError as error:
        # torch goes on to tell how to load it all the same, which would run what is in the file.
        objects = re.search(r"GLOBAL (\S+)", str(error))
        if objects is None:
            raise _damaged(file, "no file that torch.save writes") from None
        raise TrainerError(
            f"{file} holds more than plain weights ({objects[1]}): to open it could run code.",
            "Save the state_dict() of the model alone, best as .safetensors.",
        ) from None
    except Exception as error:  # torch raises whatever it stumbles over in a damaged file
        raise _damaged(file, str(error)) from None


def _damaged(file: str, reason: str) -> TrainerError:
    told = reason.splitlines()[0].rstrip(".") if reason else "nothing in it"
    return TrainerError(f"{file} can't be read as weights: {told}.", "Get the file again.")


def _tensors(loaded: object) -> dict[str, Any]:
    import torch

    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping):
        return {}
    named = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    return {name.removeprefix(_DATA_PARALLEL): tensor for name, tensor in named.items()}
