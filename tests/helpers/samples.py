"""Small valid sidecars and probes to start from."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfsc_deploy.artifact import Build, InputContract, OutputContract, ProbeFile, Sidecar
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.files import sha256_of
from sfsc_deploy.metrics import JUNK
from sfsc_deploy.probe import Probe
from tiny_onnx import DIM, HEIGHT, WIDTH

SPACE = "5" * 64
PREPROCESSING = Preprocessing(height=HEIGHT, width=WIDTH)


def sample_sidecar(artifact: Path, **changed: Any) -> Sidecar:
    """The sidecar of an artifact that exists."""
    facts: dict[str, Any] = {
        "files": {artifact.name: sha256_of(artifact)},
        "space": SPACE,
        "run": "a-run",
        "width": 0.5,
        "format": "onnx",
        "precision": "float32",
        "parameters": 360,
        "multiply_adds": 360,
        "size_bytes": artifact.stat().st_size,
        "dim": DIM,
        "input": InputContract(preprocessing=PREPROCESSING),
        "output": OutputContract(dim=DIM),
        "profile": {"name": "server-cpu"},
        "tools": {"torch": "2.13.0"},
        "build": Build(),
        "probe": ProbeFile(file="probe.safetensors", sha256="6" * 64),
    }
    return Sidecar(**facts | changed)


def unit_rows(rows: int, dim: int = DIM, seed: int = 2) -> NDArray[np.float32]:
    """Random embeddings of norm 1."""
    embedding = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)
    return embedding / np.linalg.norm(embedding, axis=1, keepdims=True)


def encoded(image: NDArray[np.uint8]) -> bytes:
    """An image as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def sample_probe(**changed: Any) -> Probe:
    """Four photographs (two identities, a query and a gallery image each) and one pattern."""
    images = np.random.default_rng(3).integers(0, 256, (5, HEIGHT, WIDTH, 3), dtype=np.uint8)
    facts: dict[str, Any] = {
        "space": SPACE,
        "origin": "sample",
        "preprocessing": PREPROCESSING,
        "images": images,
        "raw": (*map(encoded, images[:4]), b""),
        "identity": np.array([0, 0, 1, 1, JUNK]),
        "camera": np.array([1, 2, 1, 2, 0]),
        "is_query": np.array([True, False, True, False, False]),
        "is_pattern": np.array([False] * 4 + [True]),
        "reference": {1.0: unit_rows(5), 0.5: unit_rows(5, seed=4)},
    }
    return Probe(**facts | changed)
