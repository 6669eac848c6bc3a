"""The networks of a run: one supernet that holds all widths, or one for each."""

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor, nn

from trainer.methods import method_of
from trainer.recipe import Recipe
from trainer.supernet import Supernet


class Separate(nn.Module):
    """A network of its own for each width: for methods that share no weights.

    Args:
        members: one for each width, ascending; each trains one width only.
    """

    def __init__(self, members: Sequence[Supernet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.widths = tuple(width for member in members for width in member.widths)
        self.dim = members[0].dim

    def of(self, width: float) -> Supernet:
        """The network that holds a width."""
        member = self.members[self.widths.index(width)]
        assert isinstance(member, Supernet)
        return member

    def forward(self, images: Tensor, width: float) -> Tensor:
        """See ``Supernet.forward``."""
        embedding: Tensor = self.of(width)(images, width)
        return embedding


_OF_A_GENERATION = ("classifier.weight", "alignment.maps")
"""Ends of the names of what a generation learns for itself."""
_HEAD, _HEADS = "net.head.weight", "net.head.layers."

Weights: TypeAlias = dict[str, Tensor]

Networks: TypeAlias = Supernet | Separate


def build(recipe: Recipe, identities: int) -> Networks:
    """The untrained networks of a recipe.

    Args:
        recipe: says whether widths share weights.
        identities: number of identities of the training set.

    Raises:
        TrainerError: see ``Supernet``.
    """
    if method_of(recipe).one_network:
        return _supernet(recipe, recipe.trained_widths, identities)
    return Separate([_supernet(recipe, (width,), identities) for width in recipe.trained_widths])


def count_parameters(networks: Networks) -> int:
    """How many parameters the trained widths have: of a supernet those of the widest, and the heads of the others.

    Classifiers don't count, nor what is wider than the widest that is trained; norms of narrower widths are few.
    """
    if isinstance(networks, Separate):
        return sum(count_parameters(networks.of(width)) for width in networks.widths)
    widest = len(networks.widths) - 1
    owned = networks.owned(networks.widths[-1])
    return sum(
        parameter[owned.get(name, ())].numel()
        for name, parameter in networks.named_parameters()
        if not name.startswith("classifier.") and (".norms." not in name or f".norms.{widest}." in name)
    )


def inherit(networks: Networks, old: Networks) -> bool:
    """Lets networks begin with the weights of an older generation, if both are built alike.

    Classifiers stay random and alignments the identity: identities may be others, and widths have yet to be trained.

    Returns:
        Whether they do.
    """
    weights, mine = (_lasting(each.state_dict()) for each in (old, networks))
    weights = _a_head_for_each(weights, mine)
    alike = {name: tensor.shape for name, tensor in weights.items()} == {n: tensor.shape for n, tensor in mine.items()}
    if alike:
        networks.load_state_dict(weights, strict=False)
    return alike


def _lasting(state: Weights) -> Weights:
    return {name: tensor for name, tensor in state.items() if not name.endswith(_OF_A_GENERATION)}


def _a_head_for_each(weights: Weights, wanted: Weights) -> Weights:
    """Where one head was shared and now each width has its own, these begin as it was: as its leading columns."""
    shared = weights.get(_HEAD)
    own = {name: tensor for name, tensor in wanted.items() if name.startswith(_HEADS)}
    if shared is None or not own:
        return weights
    leading = {name: shared[:, : tensor.shape[1]] for name, tensor in own.items()}
    return {name: tensor for name, tensor in weights.items() if name != _HEAD} | leading


def _supernet(recipe: Recipe, widths: tuple[float, ...], identities: int) -> Supernet:
    return Supernet(
        recipe.arch,
        widths,
        recipe.embedding_dim,
        identities,
        recipe.image_size,
        own_heads=recipe.own_heads,
        aligned=recipe.aligned,
    )
