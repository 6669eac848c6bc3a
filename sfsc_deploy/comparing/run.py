"""One comparison, from a request to the figures of all runs."""

from typing import TYPE_CHECKING

from sfsc_deploy.comparing.recipes import recipe_of
from sfsc_deploy.comparing.request import CompareRequest, Listener
from sfsc_deploy.files import refuse_unwritable

if TYPE_CHECKING:
    from sfsc_deploy.comparing.comparison import Comparison


def compare(request: CompareRequest, listener: Listener) -> "Comparison":
    """Train every contender with every seed, and measure each on all held-out images.

    Args:
        request: what is compared; its folder may hold a part of it, with which this goes on.
        listener: hears how it goes.

    Raises:
        Interrupted: the user stopped it; the same call goes on.
        SfscError: images or a folder that can't be used, or that holds runs of another comparison.
        TrainerError: a recipe that isn't valid.
    """
    refuse_unwritable(request.out, folder=True)
    for contender in request.contenders:
        recipe_of(request, contender, seed=0)
    # As for a single run: what is wrong with a recipe has been told by now, without waiting for torch.
    from sfsc_deploy.comparing.series import Series

    return Series(request, listener).run()
