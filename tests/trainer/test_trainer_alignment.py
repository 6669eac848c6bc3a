"""Alignment: the map of each width against least squares by hand, and what it does in a run."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tiny_supernet import DIM, SIDE, calibrate, flat_colours, tiny_architecture, tiny_recipe, tiny_supernet
from trainer.aligning import align, sample
from trainer.alignment import IMAGES_A_DIMENSION, Alignment, consensus, fit
from trainer.generation import OldEmbeddings
from trainer.head import HeadOfEachWidth
from trainer.images import LabelledImages
from trainer.loop import Training
from trainer.supernet import Supernet

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


def rows(seed: int, count: int = 40, size: int = 5) -> Tensor:
    return F.normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(seed)))


def by_least_squares(embedding: Tensor, wanted: Tensor) -> Tensor:
    """One output at a time; the prior is four images' worth of further rows that ask for themselves."""
    known = embedding.double().numpy()
    size = known.shape[1]
    prior = np.sqrt(4 / size) * np.eye(size)
    asked, answers = np.vstack([known, prior]), np.vstack([wanted.double().numpy(), prior])
    return torch.tensor(np.stack([np.linalg.lstsq(asked, column, rcond=None)[0] for column in answers.T])).float()


@settings(deadline=None)
@given(SEEDS)
def test_a_map_is_that_of_least_squares(seed: int) -> None:
    embedding, wanted = rows(seed), rows(seed ^ 1)
    torch.testing.assert_close(fit(embedding, wanted), by_least_squares(embedding, wanted), atol=1e-5, rtol=1e-4)


@settings(deadline=None)
@given(SEEDS)
def test_a_rotated_space_is_turned_back(seed: int) -> None:
    embedding = rows(seed, count=400)
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(seed))).Q
    mapped = F.normalize(embedding @ fit(embedding, embedding @ rotation).T)
    # Against 400 images the 4 of the prior turn rows by about a hundredth: cosines lose 1e-4.
    assert (mapped * (embedding @ rotation)).sum(1).min() > 0.999


@pytest.mark.parametrize("count", [1, 3, 40])
def test_what_images_leave_open_stays_as_it_is(count: int) -> None:
    embedding = F.normalize(F.pad(rows(0, count, size=3), (0, 2)))
    torch.testing.assert_close(fit(embedding, embedding), torch.eye(5))
    weight = fit(embedding, rows(1, count))
    torch.testing.assert_close(weight[:, 3:], torch.eye(5)[:, 3:])


@settings(deadline=None)
@given(SEEDS)
def test_the_consensus_is_the_direction_of_the_sum(seed: int) -> None:
    embeddings = torch.stack([rows(seed), rows(seed ^ 1), rows(seed ^ 2)])
    for image, wanted in enumerate(consensus(embeddings)):
        total = sum(embeddings[width, image] for width in range(3))
        assert isinstance(total, Tensor)
        torch.testing.assert_close(wanted, total / total.norm(), atol=1e-6, rtol=1e-5)


def test_maps_act_on_what_is_deployed_and_not_on_what_learns() -> None:
    alignment = Alignment(2, (0.5, 1.0))
    alignment.set_map(0.5, torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    alignment.width, embedding = 0.5, torch.tensor([[3.0, 5.0]])
    assert torch.equal(alignment.train()(embedding), embedding)
    assert torch.equal(alignment.eval()(embedding), torch.tensor([[5.0, 6.0]]))
    assert torch.equal(alignment.plain(0.5)(embedding), torch.tensor([[5.0, 6.0]]))
    assert torch.equal(alignment.plain(0.75)(embedding), embedding)
    alignment.width = 1.0
    assert torch.equal(alignment(embedding), embedding)


def test_what_is_taken_out_is_a_copy() -> None:
    alignment = Alignment(2, (0.5, 1.0))
    plain = alignment.plain(0.5)
    assert isinstance(plain, nn.Linear)
    nn.init.zeros_(plain.weight)
    assert torch.equal(alignment.maps[0], torch.eye(2))


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(0, 5))
def test_a_sample_is_repeatable_and_holds_no_image_twice(images: int, seed: int) -> None:
    recipe = tiny_recipe(seed=seed)
    batches = sample(images, recipe)
    drawn = np.concatenate(batches)
    assert np.array_equal(drawn, np.concatenate(sample(images, recipe)))
    assert len(drawn) == len(set(drawn.tolist())) == min(images, IMAGES_A_DIMENSION * DIM)
    assert drawn.min() >= 0
    assert drawn.max() < images
    assert max(len(batch) for batch in batches) <= recipe.batch_size


def test_a_sample_of_many_is_not_their_beginning() -> None:
    assert np.concatenate(sample(100_000, tiny_recipe())).mean() == pytest.approx(50_000, rel=0.2)


def without_elders(batches: Iterable[Tensor]) -> list[tuple[Tensor, None]]:
    return [(images, None) for images in batches]


@pytest.fixture(scope="module")
def aligned() -> tuple[Supernet, Tensor]:
    """A supernet with norms that widths disagree about, and images."""
    torch.manual_seed(0)
    supernet = Supernet("tiny", (0.25, 0.5, 1.0), DIM, 6, (SIDE, SIDE), aligned=True)
    calibrate(supernet)
    images = torch.randn(64, 3, SIDE, SIDE)
    align(supernet, without_elders(images.split(16)))
    return supernet, images


def embedded(supernet: Supernet, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([F.normalize(supernet(images, width)) for width in supernet.widths])


def unaligned(supernet: Supernet, images: Tensor) -> Tensor:
    """With maps that are the identity."""
    own_heads, identities = isinstance(supernet.net.head, HeadOfEachWidth), len(supernet.classifier.weight)
    plain = tiny_supernet(supernet.widths, own_heads=own_heads, identities=identities)
    plain.load_state_dict({name: t for name, t in supernet.state_dict().items() if "alignment" not in name})
    return embedded(plain.eval(), images)


def test_widths_come_closer_to_each_other(aligned: tuple[Supernet, Tensor]) -> None:
    before, after = unaligned(*aligned), embedded(*aligned)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (after[one] * after[other]).sum(1).mean() > (before[one] * before[other]).sum(1).mean() + 0.05


def test_each_width_has_the_map_that_fits_it(aligned: tuple[Supernet, Tensor]) -> None:
    supernet, images = aligned
    before = unaligned(supernet, images)
    wanted = F.normalize(before.sum(0))
    assert isinstance(supernet.net.alignment, Alignment)
    for weight, embedding in zip(supernet.net.alignment.maps, before, strict=True):
        torch.testing.assert_close(weight, by_least_squares(embedding, wanted), atol=1e-4, rtol=1e-3)


def test_an_older_generation_has_a_voice(aligned: tuple[Supernet, Tensor]) -> None:
    supernet, images = copy.deepcopy(aligned[0]), aligned[1]
    older = F.normalize(torch.randn(len(images), DIM, generator=torch.Generator().manual_seed(5)))
    align(supernet, [(images[:40], older[:40]), (images[40:], older[40:])])
    before = unaligned(supernet, images)
    wanted = F.normalize(before.sum(0) + older)
    assert isinstance(supernet.net.alignment, Alignment)
    for weight, embedding in zip(supernet.net.alignment.maps, before, strict=True):
        torch.testing.assert_close(weight, by_least_squares(embedding, wanted), atol=1e-4, rtol=1e-3)


def test_to_align_again_changes_nothing(aligned: tuple[Supernet, Tensor]) -> None:
    supernet, images = aligned
    before = supernet.state_dict()["net.alignment.maps"].clone()
    align(supernet, without_elders([images]))
    torch.testing.assert_close(supernet.state_dict()["net.alignment.maps"], before, atol=1e-5, rtol=1e-4)


def trained(chosen: dict[str, Any], *, align_on_the_way: bool = False) -> Training:
    training = Training(tiny_recipe(**chosen), flat_colours())

    def epoch_ended(epoch: int) -> None:
        del epoch
        if align_on_the_way:
            training.align()

    training.run(lambda report: None, epoch_ended)
    training.align()
    return training


@pytest.mark.parametrize(
    ("chosen", "is_aligned"),
    [
        ({}, True),
        ({"compatibility": {"alignment": "none"}}, False),
        ({"method": "joint"}, False),
        ({"method": "independent"}, False),
    ],
)
def test_a_run_ends_aligned_where_its_recipe_asks_for_it(chosen: dict[str, Any], is_aligned: bool) -> None:
    maps = [t for name, t in trained(chosen).networks.state_dict().items() if name.endswith("alignment.maps")]
    assert len(maps) == is_aligned
    assert all(not torch.equal(weight, torch.eye(DIM)) for weight in maps[0]) if maps else True


def test_to_align_on_the_way_changes_no_run() -> None:
    one, other = (trained({}, align_on_the_way=on).networks.state_dict() for on in (False, True))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


class InOrder(LabelledImages):
    """Images that are read in the order in which they were announced, or not at all."""

    def expect(self, batches: Iterable[NDArray[np.int64]]) -> None:
        self.__dict__["coming"] = list(batches)

    def read(self, batch: NDArray[np.int64]) -> NDArray[np.uint8]:
        assert np.array_equal(self.__dict__["coming"].pop(0), batch)
        return super().read(batch)


@pytest.fixture
def in_order() -> InOrder:
    images = flat_colours(images_each=5)
    return InOrder(images.pixels, images.identity, images.mean, images.std)


def test_images_are_announced_before_they_are_read_and_the_steps_go_on(in_order: InOrder) -> None:
    training = Training(tiny_recipe(epochs=2), in_order)
    training.run(lambda report: None, lambda epoch: training.align())
    assert in_order.__dict__["coming"] == []


@pytest.mark.parametrize("elders", [False, True])
def test_a_run_is_aligned_on_its_images_as_a_device_sees_them(in_order: InOrder, elders: bool) -> None:
    """All of them where they are few: normalised, nothing varied, and with what the old generation makes of each."""
    older = F.normalize(torch.randn(len(in_order.identity), DIM)) if elders else None
    old = None if older is None else OldEmbeddings(older.numpy(), older.numpy()[::5])
    training = Training(tiny_recipe(), in_order, old)
    training.run(lambda report: None, lambda epoch: None)
    training.align()
    assert isinstance(training.networks, Supernet)
    pixels = torch.from_numpy(in_order.pixels).permute(0, 3, 1, 2).float() / 255
    embeddings = unaligned(training.networks, (pixels - 0.5) / 0.25)
    wanted = F.normalize(embeddings.sum(0) if older is None else embeddings.sum(0) + older)
    for weight, embedding in zip(training.networks.state_dict()["net.alignment.maps"], embeddings, strict=True):
        torch.testing.assert_close(weight, by_least_squares(embedding, wanted), atol=1e-4, rtol=1e-3)
