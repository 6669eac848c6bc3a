"""The CoreML exporter, which this version doesn't have yet."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exporters.errors import FormatUnavailable
from exporters.request import ExportRequest

if TYPE_CHECKING:
    from torch import nn


def export(model: "nn.Module", request: ExportRequest, target: Path) -> NoReturn:
    """Refuse: CoreML comes with a later version.

    Raises:
        FormatUnavailable: always.
    """
    raise FormatUnavailable(
        f"{target.name}.mlpackage can't be written: exporting to CoreML comes with a later version.",
        'Until then, a profile with format = "onnx" gives a file that ONNX Runtime runs on the same device.',
    )
