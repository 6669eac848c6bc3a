"""Batch norms with statistics of their own for every width."""

import pytest
import torch
from torch import nn

from trainer.norms import EmbeddingNorm, SwitchableNorm, enough_steps, initial_share


def test_every_width_has_a_norm_of_its_own() -> None:
    norm = SwitchableNorm(8, (0.5, 1.0))
    norm.width = 0.5
    norm(torch.randn(4, 4, 2, 2))
    assert [one.num_batches_tracked.item() for one in norm.norms] == [1, 0]
    assert [one.num_features for one in norm.norms] == [4, 8]


def test_the_norm_of_the_embedding_has_statistics_of_its_own_and_an_affine_that_all_widths_share() -> None:
    norm = EmbeddingNorm(8, (0.5, 1.0))
    norm.width = 0.5
    assert norm(torch.randn(4, 8) + 3).shape == (4, 8)
    assert [one.num_batches_tracked.item() for one in norm.norms] == [1, 0]
    assert {name for name, _ in norm.named_parameters()} == {"weight", "bias"} == set(norm.owned(0.5))


def test_the_norm_of_the_embedding_by_hand() -> None:
    norm = EmbeddingNorm(2, (0.5, 1.0))
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([2.0, 3.0]))
        norm.bias.copy_(torch.tensor([1.0, 0.0]))
    for width in norm.widths:
        norm.width = width
        found = norm(torch.tensor([[0.0, 5.0], [2.0, 9.0]]))
        torch.testing.assert_close(found, torch.tensor([[-1.0, -3.0], [3.0, 3.0]]), atol=1e-4, rtol=0)


def test_a_plain_norm_of_the_embedding_is_that_of_its_width() -> None:
    norm = EmbeddingNorm(8, (0.5, 1.0))
    for width in norm.widths:
        norm.width = width
        norm(torch.randn(16, 8) * (1 + width) + width)
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    norm.eval()
    batch = torch.randn(5, 8)
    for width in norm.widths:
        norm.width = width
        plain = norm.plain(width)
        assert type(plain) is nn.BatchNorm1d
        torch.testing.assert_close(plain.eval()(batch), norm(batch))


@pytest.mark.parametrize("norm", [SwitchableNorm(8, (0.5, 1.0)), EmbeddingNorm(8, (0.5, 1.0))])
def test_a_plain_norm_has_tensors_of_its_own(norm: SwitchableNorm | EmbeddingNorm) -> None:
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    with torch.no_grad():
        for tensor in norm.plain(1.0).state_dict().values():
            tensor.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in norm.state_dict().items())


def test_running_statistics_forget_their_beginning_as_is_told() -> None:
    norm = SwitchableNorm(4, (1.0,)).norms[0]
    for _ in range(enough_steps()):
        norm(torch.full((2, 4, 1, 1), 5.0))
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, torch.full((4,), 5.0 * (1 - initial_share(enough_steps()))))
    assert initial_share(enough_steps()) < 0.01 <= initial_share(enough_steps() - 1)
