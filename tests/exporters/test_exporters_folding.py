import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from exporters import ExportError
from exporters.folding import fold_batch_norm

Calibrated = Callable[[nn.Module], nn.Module]


class TwoReaders(nn.Module):
    """The convolution's output is taken both by the norm and by the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x + self.norm(x)


class CalledTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(torch.relu(self.conv(x))))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) if x.sum() > 0 else x


def _norms(model: nn.Module) -> int:
    return sum(isinstance(layer, _BatchNorm) for layer in model.modules())


def _head(affine: bool, bias: bool) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5, bias=bias),
        nn.BatchNorm1d(5, affine=affine),
    )  # fmt: skip


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_residual_network_is_the_same_function_without_norms(
    net: nn.Module, dtype: torch.dtype, tolerance: float
) -> None:
    net = copy.deepcopy(net).to(dtype)
    folded = fold_batch_norm(net)
    x = torch.randn(5, 3, 32, 24, dtype=dtype, generator=torch.Generator().manual_seed(1))
    assert _norms(folded) == 0
    assert next(folded.parameters()).dtype == dtype
    torch.testing.assert_close(folded(x), net(x), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("bias", [True, False])
def test_convolution_and_linear_head(calibrated: Calibrated, bias: bool) -> None:
    model = calibrated(_head(affine=True, bias=bias)).double()
    folded = fold_batch_norm(model)
    x = torch.randn(3, 3, 6, 6, dtype=torch.float64)
    assert _norms(folded) == 0
    torch.testing.assert_close(folded(x), model(x), atol=1e-12, rtol=0)


def test_norm_without_affine_parameters() -> None:
    model = _head(affine=False, bias=True).eval().double()
    model[5].running_mean.uniform_(-1, 1)
    model[5].running_var.uniform_(0.2, 2)
    x = torch.randn(3, 3, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(fold_batch_norm(model)(x), model(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("model", [TwoReaders(), CalledTwice(), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3))])
def test_norm_that_can_not_be_folded_stays_and_counts(calibrated: Calibrated, model: nn.Module) -> None:
    model = calibrated(model).double()
    folded = fold_batch_norm(model)
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    assert _norms(folded) == 1
    torch.testing.assert_close(folded(x), model(x), atol=1e-12, rtol=0)


def test_the_original_is_left_as_it_is(calibrated: Calibrated) -> None:
    model = calibrated(_head(affine=True, bias=True)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold_batch_norm(model)
    assert model.training
    assert not folded.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_model_without_norms_need_not_be_traceable() -> None:
    class Plain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    assert fold_batch_norm(Plain())(-torch.ones(1)).item() == 1


def test_batch_statistics_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    with pytest.raises(ExportError, match=r"Batch norm 1 has no running statistics.*track_running_stats=True"):
        fold_batch_norm(model)


def test_a_model_that_branches_on_its_input_is_refused() -> None:
    with pytest.raises(ExportError, match=r"Branching can't be traced.*must not branch"):
        fold_batch_norm(Branching())
