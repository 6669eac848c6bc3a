"""A width that was not trained is brought to where the trained ones are."""

import pytest

torch = pytest.importorskip("torch", reason="slices torch modules")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from exporters.deployable import Deployable  # noqa: E402
from sfsc_deploy import alignment  # noqa: E402
from sfsc_deploy.alignment import align  # noqa: E402
from sfsc_deploy.data.images import Preprocessing  # noqa: E402
from sfsc_deploy.recalibration import recalibrate  # noqa: E402
from sfsc_deploy.slicing import slice_submodel, slice_untrained  # noqa: E402
from tiny_supernet import SIDE, calibrate, tiny_supernet  # noqa: E402
from trainer.alignment import fit  # noqa: E402
from trainer.supernet import EmbeddingNet, Supernet  # noqa: E402

SIZE = Preprocessing(height=SIDE, width=SIDE)
WIDTH = 0.75


def supernet(*, aligned: bool) -> Supernet:
    made = tiny_supernet(own_heads=aligned, aligned=aligned)
    calibrate(made)
    return made.eval()


def images(count: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def between(networks: Supernet) -> EmbeddingNet:
    submodel = slice_untrained(networks, WIDTH)
    recalibrate(submodel, images(), SIZE)
    return submodel


def embedded(model: nn.Module, pixels: NDArray[np.uint8]) -> torch.Tensor:
    with torch.no_grad():
        return Deployable(model, SIZE.mean, SIZE.std)(torch.from_numpy(pixels))


def agreed(networks: Supernet) -> torch.Tensor:
    """What the trained widths make of the images together."""
    return F.normalize(sum(embedded(slice_submodel(networks, width), images()) for width in networks.widths))


def test_it_is_mapped_to_what_the_trained_widths_agree_on() -> None:
    networks = supernet(aligned=True)
    submodel, before = between(networks), embedded(between(networks), images())
    align(submodel, networks, images(), SIZE)
    expected = F.normalize(before @ fit(before, agreed(networks)).T)
    torch.testing.assert_close(embedded(submodel, images()), expected, atol=1e-5, rtol=1e-5)
    cosines = [(rows * agreed(networks)).sum(1).mean().item() for rows in (before, expected)]
    assert cosines[1] > cosines[0] + 0.05


def test_what_is_left_is_one_layer() -> None:
    networks = supernet(aligned=True)
    submodel = between(networks)
    align(submodel, networks, images(), SIZE)
    assert [type(layer) for layer in (submodel.head, submodel.norm, submodel.alignment)] == [
        nn.Linear,
        nn.Identity,
        nn.Identity,
    ]


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = supernet(aligned=True)
    whole, parts = between(networks), between(networks)
    align(whole, networks, images(), SIZE)
    monkeypatch.setattr(alignment, "BATCH", 7)
    align(parts, networks, images(), SIZE)
    torch.testing.assert_close(embedded(parts, images()), embedded(whole, images()), atol=1e-5, rtol=1e-5)


def test_where_the_trained_widths_are_not_aligned_nothing_is_changed() -> None:
    networks = supernet(aligned=False)
    submodel = between(networks)
    before = {name: tensor.clone() for name, tensor in submodel.state_dict().items()}
    align(submodel, networks, images(), SIZE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in submodel.state_dict().items())
