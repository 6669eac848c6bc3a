"""Is it the file that was exported, whole, and has it been built?"""

from collections.abc import Iterator

from sfsc_deploy.artifact import Description, check_files, sidecar_path
from sfsc_deploy.build_command import build_command_here
from sfsc_deploy.errors import SfscError
from sfsc_deploy.verification.opening import Opened
from sfsc_deploy.verification.probes import Probes
from sfsc_deploy.verification.recordings import EXPORT, NO_HASH, intact_recording, nothing_to_compare
from sfsc_deploy.verification.sources import with_source
from sfsc_deploy.verification.subject import FORMAT_OF, artifact_name
from sfsc_deploy.verification.verdict import Finding, Status, failed, not_reached, passed, unverified


def intact(opened: Opened, probes: Probes) -> Finding:
    """Are all parts, what is embedded in them, and the probe those that the sidecar speaks of?"""
    problems = [problem for problem in _problems(opened, probes) if problem]
    if problems:
        return failed(" ".join(problems))
    match opened.subject.kind:
        case "run":
            return _intact_run(opened)
        case "recorded":
            return _intact_recording(opened)
        case _:
            return _intact_artifact(opened)


def built(opened: Opened) -> Finding:
    """Is it what will run, or is that still to be built from it?"""
    subject = opened.subject
    if subject.kind == "run" or (subject.kind == "recorded" and subject.sidecar is None and subject.facts):
        return passed("A run folder runs as it is.")
    if subject.sidecar is None:
        return unverified("There is no sidecar that tells.", opened.readable.command or EXPORT)
    build = subject.sidecar.build
    if build.status == "built":
        return passed("It runs as it is.")
    if subject.kind == "onnx" or not subject.is_built or _ran_the_source(opened):
        command = build_command_here(subject.path, build.command)
        return unverified("What will run is still to be built from it on the device.", command)
    command = build_command_here(subject.path, build.command, overwrite=subject.kind == "engine")
    return unverified("It was built by hand: its sidecar is that of what it was built from.", command)


def _ran_the_source(opened: Opened) -> bool:
    """Whether embeddings were recorded of what the artifact is still to be built from."""
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    sidecar, embedder = opened.subject.sidecar, opened.embedder
    if sidecar is None or not isinstance(embedder, RecordedEmbedder):
        return False
    return artifact_name(embedder.recording) in sidecar.files


def _problems(opened: Opened, probes: Probes) -> Iterator[str | None]:
    subject = opened.subject
    yield subject.sidecar_problem
    if subject.kind != "recorded":
        yield probes.problem_of(subject)
    if subject.kind in FORMAT_OF and subject.sidecar is not None:
        yield from _file_problems(opened)
        yield from _description_problems(opened)


def _file_problems(opened: Opened) -> Iterator[str]:
    assert opened.subject.sidecar is not None
    try:
        yield from check_files(opened.subject.path, opened.subject.sidecar)
    except SfscError as error:
        yield error.message


def _description_problems(opened: Opened) -> Iterator[str]:
    subject, sidecar = opened.subject, opened.subject.sidecar
    assert sidecar is not None
    source = subject.kind == "onnx" and sidecar.build.status != "built"
    if sidecar.format != FORMAT_OF[subject.kind] and not source:
        yield f"Its sidecar is that of an artifact in format {sidecar.format}."
    if subject.format and subject.format.precision and opened.embedder is not None:
        yield from _embedded_problems(sidecar.description(), opened.embedded)


def _embedded_problems(stated: Description, embedded: Description | None) -> Iterator[str]:
    if embedded is None:
        yield "It holds no description of its own: it is not a file that `sfsc-deploy export` wrote."
        return
    for name in Description.model_fields:
        inside, beside = getattr(embedded, name), getattr(stated, name)
        if inside != beside:
            yield f"Inside it says {name} {_short(inside)}, its sidecar says {_short(beside)}."


def _intact_run(opened: Opened) -> Finding:
    if opened.readable.status is not Status.PASS:
        return not_reached("readable", opened.readable)
    return passed("The weights are those that its space was named after.")


def _intact_recording(opened: Opened) -> Finding:
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    if not isinstance(opened.embedder, RecordedEmbedder):
        return not_reached("readable", opened.readable)
    return intact_recording(opened.subject.path, opened.embedder.recording, opened.subject.facts)


def _intact_artifact(opened: Opened) -> Finding:
    subject = opened.subject
    if subject.sidecar is None:
        return nothing_to_compare(sidecar_path(subject.path).name if subject.kind in FORMAT_OF else "a sidecar")
    if subject.is_built and subject.path.name not in subject.sidecar.files:
        return unverified(NO_HASH, build_command_here(subject.path, subject.sidecar.build.command, overwrite=True))
    found = passed(f"As the sidecar says: {', '.join(subject.sidecar.files)}.")
    return with_source(found, subject.path, subject.sidecar)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
