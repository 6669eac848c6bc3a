"""Weights of a CoreML package stored as int8. It calculates in float16 all the same, so no calibration is needed."""

import shutil
from pathlib import Path
from typing import Any

from exporters.quiet_coreml import quiet_conversion


def store_weights_as_int8(package: Path, model: Any) -> Any:
    """Replace a package by one with int8 weights, symmetric, with a scale for each output channel.

    Args:
        package: the folder; replaced.
        model: `coremltools.models.MLModel` of it.

    Returns:
        The `coremltools.models.MLModel` of what stands there now.
    """
    from coremltools.optimize import coreml as compression

    # Left to its default, coremltools passes over small tensors, and layers would differ.
    each = compression.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", weight_threshold=0)
    with quiet_conversion():
        smaller = compression.linear_quantize_weights(model, config=compression.OptimizationConfig(global_config=each))
        shutil.rmtree(package)
        smaller.save(str(package))
    return smaller
