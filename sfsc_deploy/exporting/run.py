"""One export, from a task to artifacts with their sidecars."""

from collections.abc import Callable

from sfsc_deploy.exporting.plan import prepare
from sfsc_deploy.exporting.request import Exported, ExportTask, Gate, Unavailable


def export(
    task: ExportTask, on_done: Callable[[Exported | Unavailable], None] = lambda _: None, gate: Gate | None = None
) -> list[Exported | Unavailable]:
    """Writes an artifact, its sidecar and the probe for each profile.

    Where the same export was stopped before, it goes on: what was written is left as it is.

    Args:
        task: what to export, and where to.
        on_done: hears of each profile as it is done.
        gate: judges each precision that is tried; needed where the task's precision is ``auto``.

    Raises:
        SfscError: no such run, a width that can't be had, no images to recalibrate one on that was not trained, files
            in the way, or an engine that is required but can't be built here.
        ExportError: a model or a precision that can't be exported.
        FormatUnavailable: a profile's format can't be written, unless ``task.skip_unavailable``.
    """
    prepared = prepare(task)
    # torch takes seconds to import: whoever named a wrong run, profile or folder has been told by now.
    from sfsc_deploy.exporting.execution import execute

    return execute(prepared, on_done, gate)
