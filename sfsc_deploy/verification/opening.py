"""Opens a subject with the backend that runs it, and says what stands against it where that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from exporters.build_recipe import BuildRecipe, recipe_of
from sfsc_deploy.artifact import Description, read_embedded
from sfsc_deploy.build_command import build_command_here
from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import extra_of, install_command
from sfsc_deploy.parsing import parse_json
from sfsc_deploy.runtime import BackendUnavailable, Embedder, load
from sfsc_deploy.unfinished import NOTE
from sfsc_deploy.verification.subject import Facts, Subject
from sfsc_deploy.verification.verdict import Finding, failed, passed, unverified

_STOPPED = (
    f"The export that was to write {{}} was stopped before, as {NOTE} in its folder says. Whoever doesn't want it any "
    "more removes that file."
)


@dataclass(frozen=True)
class Opened:
    """A subject as it could be opened here.

    Attributes:
        subject: what was opened.
        readable: whether it could be.
        embedder: what runs it; None where `readable` isn't PASS.
        embedded: the description inside an ONNX file or CoreML package; None where there is none.
    """

    subject: Subject
    readable: Finding
    embedder: Embedder | None = None
    embedded: Description | None = None

    @property
    def facts(self) -> Facts | None:
        """What it claims to be, by its sidecar or else by what is embedded; None where neither says."""
        if self.subject.facts is None and self.embedded is not None:
            return Facts.of(self.embedded)
        return self.subject.facts


@contextmanager
def opened(subject: Subject, max_batch: int) -> Iterator[Opened]:
    """Open `subject` for as long as the context lasts; what goes wrong is told by `Opened.readable`."""
    attempt = _open(subject, max_batch)
    try:
        yield attempt
    finally:
        if attempt.embedder is not None:
            attempt.embedder.close()


def _open(subject: Subject, max_batch: int) -> Opened:
    if subject.completed_by is not None:
        what = "what it was recorded from" if subject.kind == "recorded" else "it"
        return Opened(subject, unverified(_STOPPED.format(what), subject.completed_by))
    if not (subject.is_built or subject.sidecar or subject.sidecar_problem):
        return Opened(subject, _to_be_built(subject))
    try:
        embedder = load(_loadable(subject), max_batch=max_batch)
    except BackendUnavailable as error:
        return Opened(subject, unverified(error.why[:1].upper() + error.why[1:], error.command))
    except SfscError as error:
        return Opened(subject, _obstacle(error))
    try:
        embedded = read_embedded(embedder.metadata, subject.path.name)
        return Opened(subject, passed(f"Opened with {embedder.backend}."), embedder, embedded)
    except SfscError as error:
        embedder.close()
        return Opened(subject, failed(error.message))


def _loadable(subject: Subject) -> str:
    """What the runtime is given: of a run, always with the width."""
    if subject.kind == "run" and subject.facts is not None:
        return f"{subject.path}@{subject.facts.width}"
    return str(subject.path)


def _obstacle(error: SfscError) -> Finding:
    """A package that isn't installed here says nothing about the artifact."""
    cause = error.__cause__
    if isinstance(cause, ModuleNotFoundError):
        extra = extra_of(cause.name or "")
        return unverified(error.message, install_command(extra) if extra else None)
    return failed(error.message)


def _to_be_built(subject: Subject) -> Finding:
    """Of an artifact without a sidecar of which only the build recipe exists."""
    path = recipe_of(subject.path)
    try:
        parse_json(BuildRecipe, path.read_bytes(), path, "Export it anew.")
    except SfscError as error:
        return failed(error.message)
    return unverified("It is still to be built on the device.", build_command_here(subject.path, None))
