"""Losses against hand values, against formulas in arbitrary precision, and by finite differences."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainer.losses import Evidence, evidence, expected_cross_entropy, misleading_evidence, softmax_loss

mpmath = pytest.importorskip("mpmath", reason="comes with torch, by way of sympy")

Loss = Callable[[Evidence, Tensor], Tensor]


def given_alpha(*rows: list[float], dtype: torch.dtype = torch.float64) -> Evidence:
    alpha = torch.tensor(rows, dtype=dtype)
    return Evidence(alpha, alpha.sum(1))


def exact_cross_entropy(alpha: list[float], identity: int) -> float:
    return float(mpmath.digamma(mpmath.fsum(alpha)) - mpmath.digamma(alpha[identity]))


def exact_divergence(alpha: list[float], identity: int) -> float:
    """KL(Dir(a) || Dir(1)) with the evidence for the right identity taken out."""
    with mpmath.workdps(60):
        a = [mpmath.mpf(1) if i == identity else mpmath.mpf(value) for i, value in enumerate(alpha)]
        total = mpmath.fsum(a)
        normaliser = mpmath.loggamma(total) - mpmath.loggamma(len(a)) - mpmath.fsum(map(mpmath.loggamma, a))
        return float(normaliser + mpmath.fsum((v - 1) * (mpmath.digamma(v) - mpmath.digamma(total)) for v in a))


def test_softmax_loss_by_hand() -> None:
    cosines = torch.tensor([[0.5, 0.0], [0.0, 0.5]])
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2
    assert softmax_loss(cosines, torch.tensor([0, 0]), 2.0).item() == pytest.approx(expected)


def test_evidence_by_hand() -> None:
    found = evidence(torch.tensor([[0.0, math.log(3) / 2]]), scale=2.0)
    torch.testing.assert_close(found.alpha, torch.tensor([[2.0, 4.0]]))
    assert found.strength.item() == pytest.approx(6)
    assert found.uncertainty.item() == pytest.approx(2 / 6)


def test_golden_values_of_the_expected_cross_entropy_and_its_gradient() -> None:
    """For alpha = (3, 2), by the recurrences of digamma and trigamma: psi(5) - psi(3) = 1/3 + 1/4, and so on."""
    alpha = torch.tensor([[3.0, 2.0]], dtype=torch.float64, requires_grad=True)
    value = expected_cross_entropy(Evidence(alpha, alpha.sum(1)), torch.tensor([0]))
    (gradient,) = torch.autograd.grad(value, alpha)
    assert value.item() == pytest.approx(1 / 3 + 1 / 4)
    trigamma_of_5 = math.pi**2 / 6 - (1 + 1 / 4 + 1 / 9 + 1 / 16)
    assert gradient[0].tolist() == pytest.approx([-(1 / 9 + 1 / 16), trigamma_of_5])


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.floats(0.1, 30))
def test_uncertainty_is_a_share_and_falls_with_evidence(cosines: list[float], scale: float) -> None:
    less, more = (
        evidence(torch.tensor([[*cosines, last]], dtype=torch.float32), scale).uncertainty.item()
        for last in (-1.0, 1.0)
    )
    assert 0 < more < less <= 1


def test_expected_cross_entropy_by_hand() -> None:
    """Between whole numbers digamma differs by a sum of reciprocals: 1/2 + 1/3 + 1/4, and 1/4."""
    found = expected_cross_entropy(given_alpha([2, 3], [4, 1]), torch.tensor([0, 0]))
    assert found.item() == pytest.approx((1 / 2 + 1 / 3 + 1 / 4 + 1 / 4) / 2)


def test_misleading_evidence_by_hand() -> None:
    """Dir(1, 2) has the density 2x; its divergence from the uniform one is the integral of 2x ln 2x: ln 2 - 1/2."""
    found = misleading_evidence(given_alpha([7, 2]), torch.tensor([0]))
    assert found.item() == pytest.approx(math.log(2) - 0.5)


def test_evidence_for_the_right_identity_does_not_mislead() -> None:
    assert misleading_evidence(given_alpha([1, 500, 1]), torch.tensor([1])).item() == pytest.approx(0, abs=1e-12)


@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=12), st.data())
def test_losses_equal_their_formulas(alpha: list[float], data: st.DataObject) -> None:
    identity = data.draw(st.integers(0, len(alpha) - 1))
    target = torch.tensor([identity])
    found = given_alpha(alpha)
    assert expected_cross_entropy(found, target).item() == pytest.approx(exact_cross_entropy(alpha, identity), abs=1e-9)
    divergence = exact_divergence(alpha, identity)
    assert misleading_evidence(found, target).item() == pytest.approx(divergence, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("scale", [12.0, 30.0])
def test_losses_stay_exact_in_float32_at_great_evidence(scale: float) -> None:
    cosines = torch.full((1, 500), 0.4)
    cosines[0, 3] = 1.0
    found = evidence(cosines, scale)
    alpha = found.alpha[0].tolist()
    for identity in (3, 5):
        target = torch.tensor([identity])
        expected = exact_cross_entropy(alpha, identity)
        assert expected_cross_entropy(found, target).item() == pytest.approx(expected, abs=1e-4)
        assert misleading_evidence(found, target).item() == pytest.approx(exact_divergence(alpha, identity), rel=1e-4)


@pytest.mark.parametrize("loss", [expected_cross_entropy, misleading_evidence])
@pytest.mark.parametrize("scale", [2.0, 8.0])
def test_gradients_equal_finite_differences(loss: Loss, scale: float) -> None:
    cosines = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    target = torch.tensor([0, 4, 2])
    assert torch.autograd.gradcheck(lambda c: loss(evidence(c, scale), target), cosines.requires_grad_())


@pytest.mark.parametrize("loss", [expected_cross_entropy, misleading_evidence])
def test_gradients_stay_finite_at_great_evidence(loss: Loss) -> None:
    cosines = torch.tensor([[1.0, -1.0, 1.0]], requires_grad=True)
    loss(evidence(cosines, 30.0), torch.tensor([0])).backward()
    assert cosines.grad is not None
    assert cosines.grad.isfinite().all()


def test_cross_entropy_pulls_to_the_right_identity_and_divergence_from_the_wrong() -> None:
    cosines = torch.zeros(1, 3, requires_grad=True)
    target = torch.tensor([1])
    (pull,) = torch.autograd.grad(expected_cross_entropy(evidence(cosines, 4.0), target), cosines)
    (push,) = torch.autograd.grad(misleading_evidence(evidence(cosines, 4.0), target), cosines)
    assert (pull < 0).tolist() == [[False, True, False]]
    assert (push > 0).tolist() == [[True, False, True]]
    assert push[0, 1] == 0
