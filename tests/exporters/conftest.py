"""A small residual network and its exports, made once: an export takes seconds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from exporters import ExportRequest, ExportResult, TensorrtTarget, export

HEIGHT, WIDTH, DIM = 32, 24, 16


class ConvNorm(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class ResidualNet(nn.Module):
    """A stem with max pooling, one residual block with downsampling, and a head of Linear and BatchNorm1d."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 8, 5, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.first, self.second = ConvNorm(8, 12, 3, 2), ConvNorm(12, 12, 3, 1)
        self.shortcut = ConvNorm(8, 12, 1, 2)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(nn.Linear(12, DIM, bias=False), nn.BatchNorm1d(DIM))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.stem(x)))
        x = torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))
        return self.head(torch.flatten(self.average(x), 1))


def calibrate(model: nn.Module) -> nn.Module:
    """Give each batch norm statistics and affine parameters that change what it does."""
    generator = torch.Generator().manual_seed(7)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for values, low, high in (
                (layer.running_mean, -0.5, 0.5),
                (layer.running_var, 0.2, 2.0),
                (layer.weight, 0.5, 1.5),
                (layer.bias, -0.5, 0.5),
            ):
                values.data.uniform_(low, high, generator=generator)
    return model.eval()


@pytest.fixture(scope="session")
def calibrated() -> Callable[[nn.Module], nn.Module]:
    return calibrate


@pytest.fixture(scope="session")
def net() -> nn.Module:
    torch.manual_seed(0)
    return calibrate(ResidualNet())


@pytest.fixture(scope="session")
def request_for() -> Callable[..., ExportRequest]:
    standard = ExportRequest(
        height=HEIGHT,
        width=WIDTH,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        dim=DIM,
        batch=(1, 4, 17),
        metadata={"sfsc.sidecar": '{"width": 0.5}', "author": "a test"},
    )
    return lambda **changes: replace(standard, **changes)


@pytest.fixture(scope="session")
def onnx_float32(
    net: nn.Module, request_for: Callable[..., ExportRequest], tmp_path_factory: pytest.TempPathFactory
) -> ExportResult:
    return export("onnx", net, request_for(), tmp_path_factory.mktemp("float32") / "net")


@pytest.fixture(scope="session")
def onnx_float16(
    net: nn.Module, request_for: Callable[..., ExportRequest], tmp_path_factory: pytest.TempPathFactory
) -> ExportResult:
    return export("onnx", net, request_for(precision="float16"), tmp_path_factory.mktemp("float16") / "net")


@pytest.fixture(scope="session")
def tensorrt(
    net: nn.Module, request_for: Callable[..., ExportRequest], tmp_path_factory: pytest.TempPathFactory
) -> ExportResult:
    target = TensorrtTarget(compute_capability="8.7", version=">=10.3,<11", workspace_mb=512)
    wanted = request_for(precision="float16", tensorrt=target)
    return export("tensorrt", net, wanted, tmp_path_factory.mktemp("tensorrt") / "jetson@0.5")


@pytest.fixture(scope="session")
def onnx_int8(
    net: nn.Module,
    request_for: Callable[..., ExportRequest],
    images: np.ndarray,
    tmp_path_factory: pytest.TempPathFactory,
) -> ExportResult:
    wanted = request_for(precision="int8", calibration=images)
    return export("onnx", net, wanted, tmp_path_factory.mktemp("int8") / "net")


@pytest.fixture(scope="session")
def tensorrt_int8(
    net: nn.Module,
    request_for: Callable[..., ExportRequest],
    images: np.ndarray,
    tmp_path_factory: pytest.TempPathFactory,
) -> ExportResult:
    target = TensorrtTarget(compute_capability="8.7", version=">=10.3,<11", workspace_mb=512)
    wanted = request_for(precision="int8", calibration=images, tensorrt=target)
    return export("tensorrt", net, wanted, tmp_path_factory.mktemp("tensorrt") / "net")


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (17, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def run_onnx() -> Callable[[Path, np.ndarray], np.ndarray]:
    def run(path: Path, images: np.ndarray) -> np.ndarray:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(["embedding"], {"image": images})[0]

    return run


@pytest.fixture(scope="session")
def reference(net: nn.Module, images: np.ndarray) -> np.ndarray:
    """The embeddings as they should be, calculated in float64 with no part of the package."""
    pixels = (images / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    with torch.inference_mode():
        raw = _double(net)(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())).numpy()
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def _double(net: nn.Module) -> nn.Module:
    copy = ResidualNet().double().eval()
    copy.load_state_dict(net.state_dict())
    return copy
