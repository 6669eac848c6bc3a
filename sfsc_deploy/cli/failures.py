"""What the user can mend is told in one paragraph, without a traceback."""

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import typer

from sfsc_deploy.cli.interruption import interrupted
from sfsc_deploy.errors import Interrupted, SfscError
from sfsc_deploy.extras import extra_of, install_command

if TYPE_CHECKING:
    from exporters.errors import ExportError
    from profiles.errors import ProfileError
    from trainer.errors import TrainerError

WRONG_USE = 2
DEFECT = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

_REMEDY_OF_ERRNO = {
    errno.ENOSPC: "Free some space, or write to another disk with --out.",
    errno.EDQUOT: "Free some space, or write to another disk with --out.",
    errno.EACCES: "Give yourself the right to it, or choose another place.",
    errno.EPERM: "Give yourself the right to it, or choose another place.",
    errno.EROFS: "The file system is read-only: choose another place.",
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "Check the path: a part of it is a file, not a folder.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.EEXIST: "Choose another name.",
}


@dataclass(frozen=True)
class Failure:
    """What was wrong, the command or setting that mends it, and the status to leave with."""

    message: str
    remedy: str
    status: int = WRONG_USE

    def __str__(self) -> str:
        return f"{self.message}\n→ {self.remedy}" if self.remedy else self.message


_INTERRUPTION = Failure("Interrupted.", "", INTERRUPTED)


@contextmanager
def told() -> Iterator[None]:
    """Turn the errors that a user can mend into a paragraph on standard error and an exit status.

    `SFSC_DEBUG=1` shows the traceback as well. Everything else passes through, unless Ctrl-C came before it.
    """
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        leave_interrupted()
    except BrokenPipeError:
        _leave_broken_pipe()
    except Exception as error:
        failure = explain(error)
        if failure is None:
            raise
        if os.environ.get("SFSC_DEBUG"):
            traceback.print_exc()
        _leave(str(failure), failure.status)


def explain(error: Exception) -> Failure | None:
    """What to tell the user of an error; None when it is no error of the user's."""
    if isinstance(error, Interrupted):
        return Failure(error.message, error.remedy, INTERRUPTED)
    if interrupted():  # what came of it then is not to be told from a mistake
        return _INTERRUPTION
    if isinstance(error, SfscError):
        return Failure(error.message, error.remedy)
    if isinstance(error, _leaf_errors()):
        return Failure(error.message, error.remedy)
    if isinstance(error, ModuleNotFoundError):
        return _missing_module(error.name or "")
    if isinstance(error, OSError):
        return _operating_system(error)
    return None


def crashed() -> NoReturn:
    """Tell a defect of the program as one: with its traceback, and with a status no verdict uses."""
    traceback.print_exc()
    _leave("This is a defect of sfsc-deploy, not of your input: please report it with the lines above.", DEFECT)


def leave_interrupted() -> NoReturn:
    """Tell that the user stopped the command, with a status no verdict uses."""
    _leave(str(_INTERRUPTION), _INTERRUPTION.status)


def _leaf_errors() -> "tuple[type[ExportError], type[ProfileError], type[TrainerError]]":
    """Imported late: what is found under these names is known to be ours only once a command runs."""
    from exporters.errors import ExportError
    from profiles.errors import ProfileError
    from trainer.errors import TrainerError

    return ExportError, ProfileError, TrainerError


def _missing_module(name: str) -> Failure | None:
    extra = extra_of(name)
    if extra is None:
        return None
    return Failure(f"This needs the Python module `{name}`, which is not installed.", install_command(extra))


def _operating_system(error: OSError) -> Failure:
    place = f": {error.filename}" if error.filename is not None else ""
    return Failure(f"{error.strerror or error}{place}", _REMEDY_OF_ERRNO.get(error.errno or 0, ""))


def _leave(text: str, status: int) -> NoReturn:
    typer.secho(text, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    raise SystemExit(status)


def _leave_broken_pipe() -> NoReturn:
    """The reader has gone: be silent, and let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(BROKEN_PIPE)
