"""Silence for what torch's ONNX exporter and ONNX Runtime's quantiser say to developers, and for nothing else."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_QUANTISER = "quantization"
_REGISTRATION = "torch.onnx._internal.exporter._registration"


@contextmanager
def quiet_torch_exporter() -> Iterator[None]:
    """Hide two messages that no user can act upon.

    torch warns of each torchvision operator that it can't register, which no model here uses, and of a deprecated
    call in its own code.
    """
    logger = logging.getLogger(_REGISTRATION)
    logger.addFilter(_is_of_interest)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\)", category=FutureWarning)
            yield
    finally:
        logger.removeFilter(_is_of_interest)


def _is_of_interest(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("torchvision is not installed")


@contextmanager
def quiet_quantiser() -> Iterator[None]:
    """Hide what ONNX Runtime's quantiser logs, and keep it from setting up logging for the whole program.

    It logs to the root logger: of scales that it widened, of tensors that it passed over. What became of them is read
    back from the graph.
    """
    root = logging.getLogger()
    handler = logging.NullHandler()
    root.addHandler(handler)  # without any, the first message would install one that prints
    root.addFilter(_is_of_others)
    try:
        yield
    finally:
        root.removeFilter(_is_of_others)
        root.removeHandler(handler)


def _is_of_others(record: logging.LogRecord) -> bool:
    return _QUANTISER not in Path(record.pathname).parts
