"""Does the artifact take and give what it must, in the precision that it claims?"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.errors import ExportError
from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import extra_of, install_command
from sfsc_deploy.verification.opening import Opened
from sfsc_deploy.verification.subject import Facts
from sfsc_deploy.verification.verdict import Finding, failed, measured, passed, unverified

if TYPE_CHECKING:
    from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder, TensorFact

_NO_FACTS = "Neither a sidecar nor the file says what it should be. Copy its sidecar along."
_BATCH = "N"


def input_contract(opened: Opened) -> Finding:
    """Is it `image` uint8 [N, H, W, 3] with N open to `embedding` float32 [N, D], with the H, W and D it claims?

    A CoreML package takes one RGB image of H x W instead.
    """
    facts, known = opened.facts, opened.subject.format
    contract = known.contract if known else None
    if contract == "tensors":
        return _onnx_contract(opened, facts)
    if facts is None:
        return unverified(_NO_FACTS)
    if contract == "picture":
        return _package_contract(opened, facts)
    assert opened.embedder is not None
    expected, found = (facts.dim, _size(facts)), (opened.embedder.dim, opened.embedder.size)
    if found != expected:
        return failed(f"It has D, (H, W) = {found}, expected {expected}.")
    return passed(f"It took {_input_text(facts)} and gave float32 [N, {facts.dim}].")


def precision(opened: Opened) -> Finding:
    """Does it compute in the precision that it claims? Of what can't be looked into, it must be known to be intact."""
    facts, known = opened.facts, opened.subject.format
    if facts is None:
        return unverified(_NO_FACTS)
    if opened.subject.kind == "run":
        return measured(True, "The reference computes in float32, without TF32.", "float32", "float32")
    if known is not None and known.precision is not None:
        holds = "Its weights are" if known.stores_only else "The file computes in"
        return _precision_in_file(known.precision, opened.subject.path, facts.precision, holds)
    why = "It is what was exported or built, and its precision was read from the file then."
    return measured(True, why, facts.precision, facts.precision)


def _precision_in_file(reader: str, path: Path, claimed: str, holds: str) -> Finding:
    try:
        found: str = import_module(reader).read_precision(path)
    except ModuleNotFoundError as error:
        extra = extra_of(error.name or "")
        return unverified(f"Reading it from the file needs {error.name}.", install_command(extra) if extra else None)
    except (ExportError, SfscError) as error:
        return failed(error.message)
    return measured(found == claimed, f"{holds} {found}, {claimed} is claimed.", found, claimed)


def _package_contract(opened: Opened, facts: Facts) -> Finding:
    from exporters.coreml_contract import contract_problems
    from sfsc_deploy.runtime.coreml_backend import CoremlEmbedder

    assert isinstance(opened.embedder, CoremlEmbedder)
    height, width = _size(facts)
    problems = contract_problems(opened.embedder.spec, height, width, facts.dim)
    if problems:
        return failed(" ".join(problems))
    return passed(f"`image`, one RGB image of {height} x {width}, to `embedding` float32 [1, {facts.dim}].")


def _onnx_contract(opened: Opened, facts: Facts | None) -> Finding:
    from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder

    assert isinstance(opened.embedder, OnnxEmbedder)
    problems = list(_onnx_problems(opened.embedder, facts))
    if problems:
        return failed(" ".join(problems))
    if facts is None:
        return unverified(_NO_FACTS)
    return passed(f"`image` {_input_text(facts)} to `embedding` float32 [N, {facts.dim}], N open.")


def _onnx_problems(embedder: "OnnxEmbedder", facts: Facts | None) -> Iterator[str]:
    height, width = _size(facts) if facts else (None, None)
    dim = facts.dim if facts else None
    yield from _tensor_problems("input", embedder.inputs, "image", "tensor(uint8)", (height, width, 3))
    yield from _tensor_problems("output", embedder.outputs, "embedding", "tensor(float)", (dim,))


def _tensor_problems(
    role: str, found: "tuple[TensorFact, ...]", name: str, kind: str, shape: tuple[int | None, ...]
) -> Iterator[str]:
    """Compare the only input or output with what it must be; a dimension of None may be anything."""
    fact = found[0]
    if len(found) != 1:
        yield f"It has {len(found)} {role}s, expected one."
    if fact.name != name or fact.type != kind:
        yield f"Its {role} is `{fact.name}` {fact.type}, expected `{name}` {kind}."
    if len(fact.shape) != len(shape) + 1 or any(
        wanted not in (None, length) for wanted, length in zip(shape, fact.shape[1:], strict=True)
    ):
        yield f"Its {role} has shape {_text(fact.shape)}, expected {_text((_BATCH, *shape))}."
    elif isinstance(fact.shape[0], int):
        yield f"Its {role} takes a batch of exactly {fact.shape[0]}, N must be open."


def _size(facts: Facts) -> tuple[int, int]:
    return facts.preprocessing.height, facts.preprocessing.width


def _input_text(facts: Facts) -> str:
    return f"uint8 [N, {facts.preprocessing.height}, {facts.preprocessing.width}, 3]"


def _text(shape: tuple[int | str | None, ...]) -> str:
    return f"[{', '.join('?' if length is None else str(length) for length in shape)}]"
