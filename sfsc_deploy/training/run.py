"""One training run, from a request to a finished run folder."""

from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.training.plan import prepare
from sfsc_deploy.training.request import Listener, TrainRequest


def train(request: TrainRequest, listener: Listener) -> RunFolder:
    """Trains a supernet and leaves a finished run folder.

    Args:
        request: what to train on, how, and where to.
        listener: hears how it goes.

    Returns:
        The finished run.

    Raises:
        Interrupted: the user stopped it; a checkpoint is left.
        SfscError: images or a folder that can't be used, found before training starts; or an image that was lost
            during it, where a checkpoint is left.
        TrainerError: a recipe or a checkpoint that can't be used.
    """
    prepared = prepare(request)
    # torch takes seconds to import: whoever mistyped a setting has been told by now.
    from sfsc_deploy.training.execution import execute

    return execute(prepared, request, listener)
