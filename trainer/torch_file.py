"""What ``torch.save`` wrote, read with distrust: nothing in it runs, and it takes no more memory than its file."""

import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import torch
from torch import Tensor

_ZIP = b"PK"


def load_plain(source: Path | bytes) -> object:
    """Reads tensors and plain values, on the CPU.

    Args:
        source: a file, or the bytes of one.

    Raises:
        pickle.UnpicklingError: it holds more than that.
        Exception: damaged, compressed, or claiming more than it holds; of whatever type torch stumbles with.
    """
    file = source if isinstance(source, Path) else io.BytesIO(source)
    _refuse_inflated(source)
    with warnings.catch_warnings():
        # Of what damaged bytes seem to be: the error that follows is enough.
        warnings.simplefilter("ignore")
        loaded: object = torch.load(file, map_location="cpu", weights_only=True)
        for tensor in _tensors(loaded):
            _refuse_spread(tensor)
    return loaded


def _refuse_inflated(source: Path | bytes) -> None:
    """Refuse an archive that is larger unpacked than packed: torch.save compresses nothing."""
    if _beginning(source) != _ZIP:
        return
    with ZipFile(source if isinstance(source, Path) else io.BytesIO(source)) as archive:
        entries = archive.infolist()
    packed = source.stat().st_size if isinstance(source, Path) else len(source)
    if sum(entry.file_size for entry in entries) > packed or any(e.compress_type != ZIP_STORED for e in entries):
        raise ValueError("it is a compressed archive, as torch.save writes none")


def _beginning(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[: len(_ZIP)]
    with source.open("rb") as file:
        return file.read(len(_ZIP))


def _refuse_spread(tensor: Tensor) -> None:
    """Refuse what takes more memory as soon as it is computed with than it took in the file."""
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"it claims a tensor {list(tensor.shape)} that it doesn't hold")


def _tensors(loaded: object) -> Iterator[Tensor]:
    """All tensors in plain containers, which may hold each other in a circle."""
    waiting, seen = [loaded], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
