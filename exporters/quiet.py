"""Silence for what torch's ONNX exporter says to its own developers, and for nothing else."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

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
