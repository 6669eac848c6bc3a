"""All checks of one subject, in their order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sfsc_deploy.verification.contract import input_contract, precision
from sfsc_deploy.verification.embedding import Images, Rows
from sfsc_deploy.verification.integrity import built, intact
from sfsc_deploy.verification.opening import Opened, opened
from sfsc_deploy.verification.policy import Policy
from sfsc_deploy.verification.probes import ProbeAtHand, Probes
from sfsc_deploy.verification.subject import Subject, SubModel
from sfsc_deploy.verification.trial import Trial
from sfsc_deploy.verification.verdict import Artifact, Finding, Status, not_reached
from sfsc_deploy.verification.waterfall import Waterfall
from sfsc_deploy.verification.waterfall.measure import waterfall
from sfsc_deploy.verification.waterfall.origins import Origins

OnCheck = Callable[[str, str], None]
"""Hears of each check before it is made: subject, name of the check."""

_RUNS = ("readable", "input-contract")
_NUMBERS = (*_RUNS, "finite")
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "input-contract": ("readable",),
        "precision": ("readable",),
        "finite": _RUNS,
        "norm": _NUMBERS,
        "collapse": _NUMBERS,
        "fidelity": _NUMBERS,
        "batch-invariance": _NUMBERS,
        "preprocessing": ("readable",),
        "criterion": (*_NUMBERS, "norm", "collapse"),
        "top-k": (*_NUMBERS, "norm"),
    }
)
"""What must be PASS before a check makes sense, the first cause first."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What all subjects of a fleet are tried on.

    Attributes:
        probes: every probe at hand.
        images: what the user gave for cross-tests.
        max_batch: most images in one call of a backend.
        policy: the thresholds.
        origins: the runs at hand, for waterfalls.
    """

    probes: Probes
    images: Images
    max_batch: int
    policy: Policy
    origins: Origins


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found about one subject.

    Attributes:
        artifact: who it is.
        findings: by name, of every check but those that take more than one subject.
        rows: what it embedded for cross-tests, or why it takes no part in them.
        at_hand: the probe that it was tried on; None where there was none.
        waterfall: where a loss comes from; None where it could not be run on its probe, or is no artifact.
        sub_model: what it is made of, where known.
    """

    artifact: Artifact
    findings: Mapping[str, Finding]
    rows: Rows | Finding
    at_hand: ProbeAtHand | None = None
    waterfall: Waterfall | None = None
    sub_model: SubModel | None = None


def examine(subject: Subject, setting: Setting, on_check: OnCheck) -> Examination:
    """Open `subject`, make its checks, and embed what cross-tests need."""
    with opened(subject, setting.max_batch) as attempt:
        at_hand = setting.probes.for_subject(subject, attempt.facts.space) if attempt.facts else None
        trial = Trial(attempt, at_hand or setting.probes.absence_for(subject), setting.images, setting.policy)
        ledger = _Ledger(subject.name, on_check)
        _identify(ledger, attempt, setting.probes)
        _measure(ledger, trial)
        rows = ledger.obstacle("criterion") or trial.embeddings.rows
        on_check(subject.name, "waterfall")
        steps = None if ledger.obstacle("fidelity") else _waterfall(attempt, at_hand, trial, setting.origins)
        sub_model = attempt.facts.sub_model if attempt.facts else None
        return Examination(_artifact(attempt, at_hand), ledger.findings, rows, at_hand, steps, sub_model)


class _Ledger:
    """Findings of one subject, entered in their order; what makes no sense any more is not tried."""

    def __init__(self, subject: str, on_check: OnCheck) -> None:
        self.findings: dict[str, Finding] = {}
        self._subject = subject
        self._on_check = on_check

    def enter(self, name: str, find: Callable[[], Finding], also: tuple[str, ...] = ()) -> None:
        """Make a check, unless one that it needs (by `NEEDS`, or `also`) isn't PASS."""
        self._on_check(self._subject, name)
        self.findings[name] = self.obstacle(name, also) or find()

    def obstacle(self, name: str, also: tuple[str, ...] = ()) -> Finding | None:
        """The first check that `name` needs and that isn't PASS, as a finding about `name`."""
        needed = ((need, self.findings[need]) for need in (*NEEDS.get(name, ()), *also))
        return next((not_reached(*entry) for entry in needed if entry[1].status is not Status.PASS), None)


def _identify(ledger: _Ledger, attempt: Opened, probes: Probes) -> None:
    ledger.enter("readable", lambda: attempt.readable)
    # What was not written yet has no parts, and nothing tells its space.
    first = () if attempt.subject.completed_by is None else ("readable",)
    ledger.enter("intact", lambda: intact(attempt, probes), first)
    ledger.enter("built", lambda: built(attempt), first)
    if first:
        ledger.enter("space", lambda: attempt.readable, first)
    ledger.enter("input-contract", lambda: input_contract(attempt))
    # Of what can't be looked into, its hash has to say what it is.
    known = attempt.subject.format
    also = () if attempt.subject.kind == "run" or (known and known.precision) else ("intact",)
    ledger.enter("precision", lambda: precision(attempt), also)


def _measure(ledger: _Ledger, trial: Trial) -> None:
    ledger.enter("finite", trial.finite)
    ledger.enter("norm", trial.norm)
    ledger.enter("collapse", trial.collapse)
    ledger.enter("fidelity", trial.fidelity)
    ledger.enter("batch-invariance", trial.batch_invariance)
    ledger.enter("preprocessing", trial.preprocessing)
    ledger.enter("top-k", trial.top_k)


def _waterfall(attempt: Opened, at_hand: ProbeAtHand | None, trial: Trial, origins: Origins) -> Waterfall | None:
    rows = trial.embeddings.probe
    if at_hand is None or isinstance(rows, Finding):
        return None
    return waterfall(attempt, at_hand, rows, origins)


def _artifact(attempt: Opened, at_hand: ProbeAtHand | None) -> Artifact:
    facts = attempt.facts
    return Artifact(
        name=attempt.subject.name,
        kind=attempt.subject.kind,
        space=facts.space if facts else None,
        width=facts.width if facts else None,
        precision=facts.precision if facts else None,
        backend=attempt.embedder.backend if attempt.embedder else None,
        probe=str(at_hand.path) if at_hand else None,
        profile=facts.profile if facts else None,
    )
