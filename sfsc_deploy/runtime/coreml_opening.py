"""Opens a CoreML package where coremltools can be had; anywhere else says why not."""

import importlib.util
from pathlib import Path

from exporters.formats import FORMATS
from sfsc_deploy.extras import install_command
from sfsc_deploy.runtime.embedder import Embedder
from sfsc_deploy.runtime.settings import Settings
from sfsc_deploy.runtime.unavailable import unavailable_package


def open_artifact(path: Path, settings: Settings) -> Embedder:
    """Open a CoreML package.

    Raises:
        BackendUnavailable: coremltools isn't installed.
        SfscError: it doesn't exist, or isn't readable or not usable at all.
    """
    if importlib.util.find_spec("coremltools") is None:
        why = f"coremltools is not installed ({install_command('coreml')}; {FORMATS['coreml'].no_wheel})."
        raise unavailable_package(path, why)
    from sfsc_deploy.runtime.coreml_backend import CoremlEmbedder

    return CoremlEmbedder(path, compute_units=settings.compute_units, max_batch=settings.max_batch)
