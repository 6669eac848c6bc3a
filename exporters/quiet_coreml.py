"""coremltools, without what it says to its own developers."""

import importlib
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from types import ModuleType

_LOGGER = "coremltools"
_REMARKS = ("Torch version", "scikit-learn version", "Failed to load _ML", "\n\nERROR - converting")
_WARNINGS: tuple[tuple[str, type[Warning]], ...] = (
    (r"Function _TORCH_OPS_REGISTRY\.__contains__ is deprecated", DeprecationWarning),
    (r"Implicitly cleaning up <TemporaryDirectory", ResourceWarning),
    (r".*isinstance\(treespec, LeafSpec\)", FutureWarning),
)


def load_coremltools() -> ModuleType:
    """Import coremltools.

    Raises:
        ModuleNotFoundError: it isn't installed.
    """
    with _no_remarks():
        return importlib.import_module("coremltools")


@contextmanager
def quiet_conversion() -> Iterator[None]:
    """Hide what no user can act upon while coremltools converts.

    These are its progress bars, and warnings of deprecated calls and of a temporary folder in its own code.
    """
    with _no_remarks(), _no_progress_bars(), warnings.catch_warnings():
        for message, category in _WARNINGS:
            warnings.filterwarnings("ignore", message, category)
        try:
            yield
        except Exception as error:
            # The temporary folder hangs on a frame of the failed conversion: let go of it while warnings are hidden.
            traceback.clear_frames(error.__traceback__)
            raise


@contextmanager
def _no_remarks() -> Iterator[None]:
    """Hide that torch and scikit-learn are newer than what coremltools was tried with.

    Hide that Apple's frameworks aren't here, and the report of a failed operation: the error after it says the same.
    """
    logger = logging.getLogger(_LOGGER)
    logger.addFilter(_is_of_interest)
    try:
        yield
    finally:
        logger.removeFilter(_is_of_interest)


def _is_of_interest(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_REMARKS)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Draw no bar of tqdm: coremltools has no setting for it, and tqdm reads the environment once, when imported."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    init = tqdm.__init__
    tqdm.__init__ = partialmethod(init, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = init
