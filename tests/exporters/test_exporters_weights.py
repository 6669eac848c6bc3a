import pytest
import torch
from torch import nn

from exporters import ExportError
from exporters.weights import in_precision


def _with(value: float) -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    nn.init.constant_(model[1][0].weight, value)
    return model


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_copies_into_the_precision(precision: str) -> None:
    model = _with(65504.0)
    copy = in_precision(model, precision)
    assert {str(weight.dtype) for weight in copy.parameters()} == {f"torch.{precision}"}
    assert copy[1][0].weight.max() == 65504
    assert model[0].weight.dtype == torch.float32


def test_a_weight_beyond_float16_is_refused_with_its_layer() -> None:
    with pytest.raises(ExportError, match=r"Layer 1\.0 holds a weight of 70000 .*65504.*--precision float32"):
        in_precision(_with(-7e4), "float16")
    in_precision(_with(-7e4), "float32")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_weights_that_are_no_numbers_are_refused(value: float, precision: str) -> None:
    with pytest.raises(ExportError, match=r"Layer 1\.0 holds NaN or infinite"):
        in_precision(_with(value), precision)
