"""Whole packages through the reference executor, against the models that they were made of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("coremltools", reason="it writes and reads the packages, and has no wheel for this machine")

from exporters import CoremlTarget, ExportRequest, export
from exporters.deployable import Deployable
from sfsc_deploy.runtime.coreml_package import read_package
from sfsc_deploy.runtime.mil_executor.predictor import ReferenceExecutor
from sfsc_deploy.slicing import slice_submodel
from tiny_supernet import SIDE, calibrate, tiny_supernet
from tiny_vit import TinyVit
from trainer.supernet import Supernet

DIM, IMAGES = 16, 6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Cosine and largest difference of a component that each precision must keep in every row.
LIMITS = {"float32": (1 - 1e-6, 1e-5), "float16": (1 - 1e-4, 1e-2), "int8": (0.99, 0.1)}


def _submodel(architecture: str) -> nn.Module:
    torch.manual_seed(0)
    supernet = Supernet(architecture, (0.25, 1.0), DIM, 4, (32, 24))
    calibrate(supernet)
    return slice_submodel(supernet, 0.25)


def _tiny(architecture: str) -> nn.Module:
    supernet = tiny_supernet((0.5, 1.0), arch=architecture)
    calibrate(supernet)
    return slice_submodel(supernet, 0.5)


def _vit() -> nn.Module:
    torch.manual_seed(0)
    return TinyVit(DIM).eval()


def _norm_after_addition() -> nn.Module:
    """A batch norm that nothing takes in, average pooling, and an activation of another kind."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.Conv2d(3, 8, 3, padding=2, dilation=2)
            self.norm, self.act = nn.BatchNorm2d(8), nn.Hardswish()
            self.pool, self.head = nn.AvgPool2d(3, 2, 1), nn.Linear(8, DIM)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.pool(self.act(self.norm(self.left(x) + self.right(x))))
            return self.head(x.amax((2, 3)))

    torch.manual_seed(0)
    net = Net().eval()
    calibrate(net)
    return net


MODELS: dict[str, Callable[[], nn.Module]] = {
    **{name: (lambda name=name: _submodel(name)) for name in ("resnet-mini", "resnet18")},
    **{name: (lambda name=name: _tiny(name)) for name in ("tiny-mobilenet", "tiny-vit")},
    "vit": _vit,
    "norm after addition": _norm_after_addition,
}
SIZES = dict.fromkeys(("vit", "tiny-mobilenet", "tiny-vit"), (SIDE, SIDE))


def images(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (IMAGES, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "precision", "target"),
    [
        ("resnet-mini", "float32", "iOS16"),
        ("resnet-mini", "float16", "iOS16"),
        ("resnet-mini", "int8", "iOS16"),
        ("resnet18", "float16", "iOS17"),
        ("vit", "float32", "iOS16"),
        ("vit", "float16", "iOS18"),
        ("vit", "int8", "iOS18"),
        ("tiny-mobilenet", "float32", "iOS16"),
        ("tiny-vit", "float32", "iOS16"),
        ("tiny-vit", "int8", "iOS18"),
        ("norm after addition", "float32", "iOS16"),
        ("norm after addition", "float16", "iOS18"),
    ],
)
def test_a_package_embeds_as_its_model(tmp_path: Path, name: str, precision: str, target: str) -> None:
    net, (height, width) = MODELS[name](), SIZES.get(name, (32, 24))
    shown = images(height, width)
    with torch.inference_mode():
        reference = Deployable(net, MEAN, STD).eval()(torch.from_numpy(shown)).double().numpy()
    request = ExportRequest(
        height, width, MEAN, STD, reference.shape[1], precision, batch=(1, 1, 1), coreml=CoremlTarget(target)
    )
    (package,) = export("coreml", net, request, tmp_path / "net").files
    for all_float32 in (False, True):
        executor = ReferenceExecutor(read_package(package), all_float32=all_float32)
        found = np.stack([executor.predict(image) for image in shown])
        assert found.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        least, furthest = LIMITS[precision]
        assert (found * reference).sum(1).min() >= least
        assert np.abs(found - reference).max() <= furthest


def test_a_convolution_scaled_by_a_fiftieth_is_seen(tmp_path: Path) -> None:
    net = _submodel("resnet-mini")
    request = ExportRequest(32, 24, MEAN, STD, DIM, batch=(1, 1, 1), coreml=CoremlTarget("iOS16"))
    with torch.inference_mode():
        reference = Deployable(net, MEAN, STD).eval()(torch.from_numpy(images(32, 24))).double().numpy()
        next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d)).weight.mul_(1.02)
    (package,) = export("coreml", net, request, tmp_path / "net").files
    executor = ReferenceExecutor(read_package(package))
    found = np.stack([executor.predict(image) for image in images(32, 24)])
    assert np.abs(found - reference).max() > 10 * LIMITS["float32"][1]
