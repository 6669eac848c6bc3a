"""The supernet: sub-models by width, and the widths that it refuses."""

import pytest
import torch

from tiny_supernet import DIM, SIDE, TINY, tiny_supernet
from trainer.errors import TrainerError
from trainer.supernet import CosineClassifier, Supernet


@pytest.mark.parametrize("arch", TINY)
def test_every_width_embeds_with_the_same_dimension(arch: str) -> None:
    supernet = tiny_supernet((0.25, 1.0), arch=arch).eval()
    images = torch.randn(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        assert [supernet(images, width).shape for width in supernet.widths] == [(2, DIM)] * 2


def test_a_width_depends_on_what_it_owns_alone() -> None:
    supernet = tiny_supernet((0.25, 0.5, 1.0)).eval()
    images = torch.randn(2, 3, SIDE, SIDE)
    owned = supernet.owned(0.5)
    with torch.inference_mode():
        before = [supernet(images, width) for width in supernet.widths]
        for name, parameter in supernet.named_parameters():
            if name in owned:
                inside = parameter[owned[name]].clone()
                parameter.fill_(100.0)
                parameter[owned[name]] = inside
        after = [supernet(images, width) for width in supernet.widths]
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [True, True, False]


def test_all_shared_parameters_are_owned_and_no_other() -> None:
    supernet = tiny_supernet()
    shared = {name for name, _ in supernet.named_parameters() if ".norms." not in name}
    assert set(supernet.owned(0.5)) == set(supernet.owned(1.0)) == shared


def test_the_widest_owns_every_tensor_whole() -> None:
    supernet = tiny_supernet()
    parameters = dict(supernet.named_parameters())
    assert all(parameters[name][region].shape == parameters[name].shape for name, region in supernet.owned(1.0).items())


@pytest.mark.parametrize(
    ("widths", "counts"),
    [((0.01, 1.0), "0, 8"), ((0.5, 0.52, 1.0), "4, 4, 8"), ((0.99, 1.0), "8, 8")],
)
def test_widths_without_channels_of_their_own_are_refused(widths: tuple[float, ...], counts: str) -> None:
    with pytest.raises(TrainerError, match=rf"net\.backbone\.stem\.0 with {counts} of 8 channels") as caught:
        tiny_supernet(widths)
    assert "--widths" in caught.value.remedy


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TrainerError, match=r"no architecture 'vgg'.*resnet-mini, resnet18"):
        Supernet("vgg", (1.0,), DIM, 4, (SIDE, SIDE))


def test_the_classifier_gives_cosines_whatever_the_norms_of_its_prototypes() -> None:
    classifier = CosineClassifier(4, 3)
    embedding = torch.tensor([[0.6, 0.8, 0.0, 0.0]])
    with torch.no_grad():
        classifier.weight.copy_(torch.tensor([[6.0, 8, 0, 0], [-1, 0, 0, 0], [0, 0, 9, 0]]))
    torch.testing.assert_close(classifier(embedding), torch.tensor([[1.0, -0.6, 0.0]]))
