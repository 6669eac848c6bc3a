"""The rows of the buffer are the gradients of the widths, without a copy."""

import pytest
import torch

from tiny_supernet import SIDE, tiny_supernet
from trainer.gradients import GradientRows
from trainer.supernet import Supernet


@pytest.fixture
def supernet() -> Supernet:
    return tiny_supernet((0.25, 0.5, 1.0))


def rows_of(supernet: Supernet) -> GradientRows:
    owned = [supernet.owned(width) for width in supernet.widths]
    return GradientRows({n: p for n, p in supernet.named_parameters() if n in owned[0]}, owned)


def loss(supernet: Supernet, width: float) -> torch.Tensor:
    images = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return supernet.classifier(supernet(images, width)).square().sum()


def test_each_row_is_the_gradient_of_its_width(supernet: Supernet) -> None:
    rows = rows_of(supernet)
    for row, width in enumerate(supernet.widths):
        with rows.collecting(row):
            loss(supernet, width).backward()
    for row, width in enumerate(supernet.widths):
        expected = torch.autograd.grad(loss(supernet, width), [tensor.parameter for tensor in rows.tensors])
        for tensor, gradient in zip(rows.tensors, expected, strict=True):
            torch.testing.assert_close(tensor.rows[row], gradient, atol=1e-6, rtol=1e-5)


def test_the_gradient_is_accumulated_in_place(supernet: Supernet) -> None:
    rows = rows_of(supernet)
    with rows.collecting(1):
        loss(supernet, 0.5).backward()
        places = [tensor.parameter.grad.data_ptr() for tensor in rows.tensors if tensor.parameter.grad is not None]
    assert places == [tensor.rows[1].data_ptr() for tensor in rows.tensors]
    assert rows.buffer[1].any()
    assert not rows.buffer[[0, 2]].any()


def test_a_row_starts_at_zero_every_time(supernet: Supernet) -> None:
    rows = rows_of(supernet)
    for _ in range(2):
        with rows.collecting(0):
            loss(supernet, 0.25).backward()
        last = rows.buffer[0].clone()
    with rows.collecting(0):
        loss(supernet, 0.25).backward()
    torch.testing.assert_close(rows.buffer[0], last, atol=1e-6, rtol=1e-5)


def test_a_width_has_no_gradient_where_it_owns_nothing(supernet: Supernet) -> None:
    rows = rows_of(supernet)
    for row, width in enumerate(supernet.widths):
        with rows.collecting(row):
            loss(supernet, width).backward()
    for tensor in rows.tensors:
        for row, region in enumerate(tensor.regions):
            outside = tensor.rows[row].clone()
            outside[region] = 0
            assert not outside.any()


def test_the_optimiser_sees_the_total(supernet: Supernet) -> None:
    rows = rows_of(supernet)
    before = [tensor.parameter.detach().clone() for tensor in rows.tensors]
    for tensor in rows.tensors:
        tensor.total.fill_(2.0)
    rows.hand_over()
    torch.optim.SGD([tensor.parameter for tensor in rows.tensors], lr=0.5).step()
    for tensor, old in zip(rows.tensors, before, strict=True):
        torch.testing.assert_close(tensor.parameter.detach(), old - 1.0)
