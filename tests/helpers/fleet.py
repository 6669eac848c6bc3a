"""A whole fleet to verify: a run trained for seconds on easy images, its probe, and its exports."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from profiles import load as load_profile
from sfsc_deploy.artifact import space_id
from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.exporting.run import export
from sfsc_deploy.probe import ProbeSize, build
from sfsc_deploy.run_folder import PROBE, WEIGHTS, RunFacts, RunFolder, write_recipe
from sfsc_deploy.runtime.torch_backend import reference
from trainer.images import LabelledImages
from trainer.loop import Training
from trainer.recipe import Augmentation, Recipe

WIDTHS = (0.25, 0.5, 1.0)
DIM = 16
PREPROCESSING = Preprocessing(height=32, width=24)
IDENTITIES = 10

_RECIPE = Recipe(
    widths=WIDTHS,
    embedding_dim=DIM,
    image_size=(PREPROCESSING.height, PREPROCESSING.width),
    batch_size=40,
    images_per_identity=4,
    device="cpu",
    augmentation=Augmentation(flip=0, padding=0, colour_jitter=0, erasing=0),
)


def make_run(folder: Path, *, seed: int = 0, epochs: int = 24) -> Path:
    """A finished run of widths 0.25, 0.5 and 1 with a probe of 20 queries and 20 gallery images.

    After 24 epochs the widths are compatible; after one they find their own gallery, but not each other's.
    """
    folder.mkdir(parents=True)
    training = _train(_RECIPE.model_copy(update={"seed": seed, "epochs": epochs}))
    weights = training.networks.state_dict()
    save_file(weights, folder / WEIGHTS)
    space = space_id({name: tensor.numpy() for name, tensor in weights.items()}, DIM, PREPROCESSING)
    facts = RunFacts(data="portraits", identities=IDENTITIES, preprocessing=PREPROCESSING, space=space, tools={})
    write_recipe(folder, training.recipe, facts)
    _write_probe(folder, space)
    return folder


def export_all(run: Path, out: Path, profiles: Iterable[str]) -> Path:
    """Artifacts of a run, one a profile, in `out`."""
    export(ExportTask(run, tuple(load_profile(name) for name in profiles), out))
    return out


def portraits(identities: Iterable[int], numbers: Iterable[int]) -> Split:
    """Images of identities as PNG: each has colours of its own, in a pattern of its own, under noise."""
    chosen = [(identity, number) for identity in identities for number in numbers]
    return Split(
        sources=tuple(_portrait(identity, number) for identity, number in chosen),
        identity=tuple(f"{identity:03}" for identity, _ in chosen),
    )


def _portrait(identity: int, number: int) -> bytes:
    own = np.random.default_rng(identity).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(own).resize((40, 48), Image.Resampling.BICUBIC)).astype(np.int64)
    noise = np.random.default_rng((identity, number)).integers(-60, 61, smooth.shape)
    return encoded(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def encoded(image: NDArray[np.uint8]) -> bytes:
    """An image as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _train(recipe: Recipe) -> Training:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tests share the cores with each other
    try:
        training = Training(recipe, _labelled())
        training.run(lambda report: None, lambda epoch: None)
        training.align()
        return training
    finally:
        torch.set_num_threads(threads)


def _labelled() -> LabelledImages:
    split = portraits(range(IDENTITIES), range(4, 12))
    identity = np.array([int(name) for name in split.identity], np.int64)
    return LabelledImages(split.load(PREPROCESSING), identity, PREPROCESSING.mean, PREPROCESSING.std)


def _write_probe(folder: Path, space: str) -> None:
    run = RunFolder.open(folder)
    everyone = range(IDENTITIES)
    query, gallery = portraits(everyone, range(2)), portraits(everyone, range(2, 4))
    probe = build(query, gallery, PREPROCESSING, space=space, origin="portraits", size=ProbeSize())
    probe.with_references(WIDTHS, lambda width, images: reference(run, width).embed(images)).save(folder / PROBE)
