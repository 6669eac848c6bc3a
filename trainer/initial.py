"""Networks that begin with weights which others have trained, rather than with random ones.

The full width goes into the shared weights, of which every width keeps the leading channels; every width's own norms
begin with the leading channels of the file's.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.architectures import ARCHITECTURES, build
from trainer.backbone import Backbone, ImageSize
from trainer.errors import TrainerError
from trainer.naming import NAMINGS, is_counter, naming_of
from trainer.networks import Networks
from trainer.recipe import Recipe
from trainer.vit import VisionTransformer
from trainer.weight_file import WeightFile

NEARLY_ALL = 0.95
"""Of a backbone's tensors the file must have as many, and of the file's as many must have a place: a ResNet-50 holds
all names and shapes of a ResNet-50 without its last blocks."""

_OWN_NAME = "net.backbone."
"""In the names of all tensors of a ``Supernet``'s backbone."""
_OWN_NORM = re.compile(r"\.norms\.\d+\.")
_USUAL = (224, 224)
_POSITIONS = "tokens.pos_embed"
_SHOWN = 5


@dataclass(frozen=True)
class Fit:
    """What of a file went into the networks, and what didn't."""

    file: str
    naming: str
    """Whose names it has."""
    taken: int
    """Tensors of the backbone that begin with the file's."""
    missing: tuple[str, ...]
    """Tensors of the backbone that the file doesn't have: they begin with random values."""
    left_out: tuple[str, ...]
    """Tensors of the file that have no place, first of all its classifier."""
    resized: tuple[str, ...]
    """Tensors that were made for images of another size, with both sizes in patches."""


def initialise(networks: Networks, recipe: Recipe, file: WeightFile) -> Fit:
    """Lets the backbones of all networks begin with the weights of a file; heads and classifiers are left random.

    Args:
        networks: of the recipe; changed in place.
        recipe: tells architecture and image size.
        file: weights in torchvision's or timm's naming.

    Raises:
        TrainerError: another naming or architecture, tensors of wrong shapes, or numbers that aren't finite.
    """
    naming = naming_of(file.tensors)
    if naming is None:
        raise _of_unknown_naming(file)
    tensors = naming.backbone(file.tensors)
    full = _full_width(recipe.arch, recipe.image_size)
    comparison = _Comparison.of(tensors, full)
    if not comparison.fits:
        raise _misfit(file, recipe, comparison, tensors)
    _refuse_not_finite(file, tensors)
    tensors, resized = _resized(tensors, full)
    for network in {id(networks.of(width)): networks.of(width) for width in networks.widths}.values():
        _fill(network.net.backbone.state_dict(), tensors)
    head = tuple(name for name in file.tensors if naming.is_head(name))
    return Fit(
        file=file.name,
        naming=naming.name,
        taken=comparison.common,
        missing=comparison.missing,
        left_out=comparison.unknown + head,
        resized=resized,
    )


@dataclass(frozen=True)
class _Comparison:
    """The tensors of a file beside those of an architecture, by the names here."""

    common: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misshapen: tuple[str, ...]
    """Name, the file's shape, and the one wanted."""
    fits: bool

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], full: Backbone) -> "_Comparison":
        shapes = _shapes(full)
        common = [name for name in shapes if name in tensors]
        misshapen = tuple(
            f"{name} {list(tensors[name].shape)} where {list(shapes[name])} is wanted"
            for name in common
            if tensors[name].shape != shapes[name] and not _resizable(name, tensors[name], shapes[name])
        )
        return cls(
            common=len(common),
            missing=tuple(name for name in shapes if name not in tensors),
            unknown=tuple(name for name in tensors if name not in shapes),
            misshapen=misshapen,
            fits=not misshapen and len(common) >= NEARLY_ALL * max(len(shapes), len(tensors)),
        )


def _full_width(arch: str, image_size: ImageSize) -> Backbone:
    """Without numbers, to compare with."""
    with torch.device("meta"):
        return build(arch, (1.0,), image_size)


def _shapes(full: Backbone) -> dict[str, torch.Size]:
    """Of every tensor that a backbone of full width may begin with, by its name in a sub-model."""
    return {_plain(name): tensor.shape for name, tensor in full.state_dict().items() if not is_counter(name)}


def _plain(name: str) -> str:
    return _OWN_NORM.sub(".", name)


def _fill(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in state.items():
        if not is_counter(name) and _plain(name) in tensors:
            tensor.copy_(tensors[_plain(name)][tuple(slice(size) for size in tensor.shape)])


def _refuse_not_finite(file: WeightFile, tensors: Mapping[str, Tensor]) -> None:
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise TrainerError(f"{file.name} holds NaN or infinite numbers in {_some(broken)}.", "Get the file again.")


def _resizable(name: str, tensor: Tensor, wanted: torch.Size) -> bool:
    """Whether a tensor holds a place for the class token and for each patch of a square image."""
    if name != _POSITIONS or tensor.dim() != len(wanted) or tensor.shape[-1] != wanted[-1]:
        return False
    return math.isqrt(tensor.shape[1] - 1) ** 2 == tensor.shape[1] - 1 > 0


def _resized(tensors: dict[str, Tensor], full: Backbone) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Fits position embeddings to the grid of patches, bicubically; those of the same grid are left alone."""
    if not isinstance(full, VisionTransformer) or _POSITIONS not in tensors:
        return tensors, ()
    places, wanted = tensors[_POSITIONS], _shapes(full)[_POSITIONS]
    side = math.isqrt(places.shape[1] - 1)
    if full.grid == (side, side) or not _resizable(_POSITIONS, places, wanted):
        return tensors, ()
    grid = places[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, full.grid, mode="bicubic", antialias=True, align_corners=False)
    fitted = torch.cat([places[:, :1].float(), grid.flatten(2).transpose(1, 2)], 1)
    told = f"{_POSITIONS} from {side} x {side} to {full.grid[0]} x {full.grid[1]} patches"
    return tensors | {_POSITIONS: fitted}, (told,)


def _of_unknown_naming(file: WeightFile) -> TrainerError:
    if any(_OWN_NAME in name for name in file.tensors):
        return TrainerError(
            f"{file.name} holds weights that were trained here; --init takes those of torchvision or timm.",
            "Name the run that they are of with --compatible-with: training begins with its weights where both are "
            "built alike.",
        )
    return TrainerError(
        f"{file.name} follows none of the namings that are known: {', '.join(each.name for each in NAMINGS)}.",
        "Give weights of torchvision or timm.",
    )


def _misfit(file: WeightFile, recipe: Recipe, found: _Comparison, tensors: Mapping[str, Tensor]) -> TrainerError:
    problems = [
        f"{len(names)} {what} ({_some(names)})"
        for names, what in (
            (found.misshapen, "of another shape"),
            (found.missing, "missing from it"),
            (found.unknown, f"with no place in {recipe.arch}"),
        )
        if names
    ]
    other = next((arch for arch in ARCHITECTURES if _fits(arch, tensors)), None)
    remedy = (
        f"Its tensors are those of {other}: train with --arch {other}."
        if other
        else (f"Give weights of {recipe.arch} in torchvision's or timm's naming.")
    )
    return TrainerError(
        f"{file.name} doesn't hold the weights of {recipe.arch}: tensors {'; '.join(problems)}.", remedy
    )


def _fits(arch: str, tensors: Mapping[str, Tensor]) -> bool:
    return _Comparison.of(tensors, _full_width(arch, _USUAL)).fits


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
