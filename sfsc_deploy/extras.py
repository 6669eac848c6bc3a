"""Which extra of the package brings which module: the one table that messages and `doctor` read."""

from collections.abc import Mapping
from types import MappingProxyType

EXTRA_OF: Mapping[str, str] = MappingProxyType(
    {
        "torch": "train",
        "kornia": "train",
        "pytorch_metric_learning": "train",
        "tomli_w": "train",
        "matplotlib": "report",
        "onnx": "onnx",
        "onnxruntime": "onnx",
        "onnxscript": "onnx",
        "tensorrt": "tensorrt",
        "coremltools": "coreml",
    }
)


def extra_of(module: str) -> str | None:
    """The extra that installs a module (`torch.nn` counts as `torch`); None when no extra does."""
    return EXTRA_OF.get(module.partition(".")[0])


def install_command(*extras: str) -> str:
    """The command that installs the given extras."""
    return f'pip install "sfsc-deploy[{",".join(extras)}]"'
