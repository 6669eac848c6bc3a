"""The reference: sub-models of a run folder in torch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sfsc_deploy.artifact import space_id
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.run_folder import WEIGHTS, RunFacts, RunFolder, write_recipe
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.torch_backend import TorchEmbedder, reference
from trainer.networks import build
from trainer.recipe import Recipe
from trainer.supernet import Supernet

WIDTHS = (0.5, 1.0)
RECIPE, IDENTITIES = Recipe(widths=WIDTHS, embedding_dim=8, image_size=(16, 12)), 4
PREPROCESSING = Preprocessing(height=16, width=12)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 12, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    """Untrained, but its batch norms have seen images."""
    torch.manual_seed(0)
    supernet = build(RECIPE, IDENTITIES).train()
    assert isinstance(supernet, Supernet)
    with torch.no_grad():
        for width in WIDTHS:
            supernet(torch.randn(16, 3, 16, 12), width)
    return supernet.eval()


@pytest.fixture(scope="module")
def run(supernet: Supernet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with what loading needs."""
    folder = tmp_path_factory.mktemp("runs") / "a-run"
    folder.mkdir()
    weights = supernet.state_dict()
    save_file(weights, folder / WEIGHTS)
    space = space_id({name: tensor.numpy() for name, tensor in weights.items()}, 8, PREPROCESSING)
    facts = RunFacts(data="noise", identities=IDENTITIES, preprocessing=PREPROCESSING, space=space, tools={})
    write_recipe(folder, RECIPE, facts)
    return folder


def by_hand(supernet: Supernet, width: float) -> np.ndarray:
    """Scaling, supernet and normalisation, written out."""
    pixels = (IMAGES / 255.0 - PREPROCESSING.mean) / PREPROCESSING.std
    with torch.no_grad():
        embedding = supernet(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32), width).numpy()
    return embedding / np.linalg.norm(embedding, axis=1, keepdims=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_width_of_a_run_embeds_as_the_supernet_does(run: Path, supernet: Supernet, width: float) -> None:
    with load(f"{run}@{width}") as embedder:
        np.testing.assert_allclose(embedder.embed(IMAGES), by_hand(supernet, width), rtol=0, atol=1e-5)


def test_without_a_width_the_widest_is_loaded(run: Path, supernet: Supernet) -> None:
    with load(run) as embedder:
        assert isinstance(embedder, TorchEmbedder)
        assert embedder.width == 1.0
        np.testing.assert_allclose(embedder.embed(IMAGES), by_hand(supernet, 1.0), rtol=0, atol=1e-5)


def test_a_run_tells_what_it_is(run: Path) -> None:
    with load(f"{run}@0.5") as embedder:
        opened = RunFolder.open(run)
        assert embedder.name == f"{run}@0.5"
        assert (embedder.dim, embedder.space) == (8, opened.space)
        assert (embedder.preprocessing, embedder.size) == (PREPROCESSING, (16, 12))
        assert embedder.backend == f"torch {torch.__version__}, cpu"
        assert embedder.sidecar is None


def test_rows_do_not_depend_on_the_batch(run: Path) -> None:
    with load(run, max_batch=2) as embedder:
        np.testing.assert_allclose(embedder.embed(IMAGES), embedder.embed_batch(IMAGES), rtol=0, atol=1e-6)


def test_the_same_images_give_the_same_bits(run: Path) -> None:
    with load(run) as one, load(run) as other:
        np.testing.assert_array_equal(one.embed(IMAGES), other.embed(IMAGES))


def test_read_only_and_reversed_images_are_taken(run: Path) -> None:
    backwards = IMAGES[::-1]
    backwards.flags.writeable = False
    with load(run) as embedder:
        np.testing.assert_allclose(embedder.embed(backwards)[::-1], embedder.embed(IMAGES), rtol=0, atol=1e-6)


@pytest.mark.parametrize("text", ["0.3", "2"])
def test_a_width_that_was_not_trained_is_refused(run: Path, text: str) -> None:
    with pytest.raises(SfscError, match=f"width {text}"):
        load(f"{run}@{text}")


def test_embedding_leaves_no_setting_changed(run: Path) -> None:
    def settings() -> tuple[bool, ...]:
        backends = torch.backends
        return (
            backends.cuda.matmul.allow_tf32,
            backends.cudnn.allow_tf32,
            backends.cudnn.benchmark,
            backends.cudnn.deterministic,
            torch.is_inference_mode_enabled(),
        )

    before = settings()
    with load(run) as embedder:
        embedder.embed(IMAGES)
    assert settings() == before


def test_tf32_is_off_while_embedding(run: Path) -> None:
    seen: list[tuple[bool, bool]] = []
    embedder = reference(RunFolder.open(run))
    assert embedder._model is not None
    embedder._model.register_forward_pre_hook(
        lambda *_: seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
    )
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        embedder.embed(IMAGES)
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert seen == [(False, False)]


def test_a_failure_names_the_batch(run: Path) -> None:
    embedder = reference(RunFolder.open(run))
    assert embedder._model is not None

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory\nand a long trace")

    embedder._model.register_forward_pre_hook(fail)
    with pytest.raises(SfscError, match="failed on a batch of 5 images: out of memory"):
        embedder.embed(IMAGES)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="not a run folder"):
        load(tmp_path)
