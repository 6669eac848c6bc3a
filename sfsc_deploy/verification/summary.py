"""A verdict in few words: what stands against a fleet, each cause once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfsc_deploy.runtime.embedder import RECORDED_ON, STAND_IN
from sfsc_deploy.verification.judgement import points
from sfsc_deploy.verification.verdict import Check, Status, Verdict, closest_call
from sfsc_deploy.verification.waterfall import Step, Waterfall
from sfsc_deploy.wording import number_of

UNHASHED = (
    "no hash goes with the stored rows, so intact was not checked: whether they are still what was stored, and what "
    "made them, rests on the images of --data."
)
"""Of a stored gallery of another system."""


@dataclass(frozen=True)
class Objection:
    """A cause, and the checks at one place that share it.

    Attributes:
        status: FAIL or UNVERIFIED.
        place: the artifact, or "a to b" of a pair.
        checks: names of the checks.
        why: what was measured or seen, in sentences.
        command: what mends it or tells more, where known.
    """

    status: Status
    place: str
    checks: tuple[str, ...]
    why: str
    command: str | None


@dataclass(frozen=True)
class Consequence:
    """A check that could not be told of an artifact because of others.

    Attributes:
        check: its name.
        artifact: that nothing of the kind is said against itself.
        others: the artifacts that are the cause.
        cause: the name of their check that stands in the way.
        status: of that check, FAIL or UNVERIFIED.
    """

    check: str
    artifact: str
    others: tuple[str, ...]
    cause: str
    status: Status


def conclusion(verdict: Verdict) -> str:
    """The verdict and how it came about, in one sentence."""
    counts = {status: sum(check.status is status for check in verdict.checks) for status in Status}
    words = {
        Status.PASS: f"{len(verdict.artifacts)} artifacts, {_spaces(verdict)}, "
        f"all {counts[Status.PASS]} checks passed.",
        Status.FAIL: f"{counts[Status.FAIL]} of {len(verdict.checks)} checks failed.",
        Status.UNVERIFIED: f"nothing failed, but {counts[Status.UNVERIFIED]} of {len(verdict.checks)} checks were not "
        "possible.",
    }
    return f"{verdict.status.value}: {words[verdict.status]}"


def remarks(verdict: Verdict) -> tuple[str, ...]:
    """What a reader should know even if all is well: the closest call, and what ran by proxy."""
    closest = closest_call(verdict.checks)
    found = [f"Weakest pair, {place(closest)}: {closest.why}"] if closest else []
    found += _lost_first_matches(verdict)
    if verdict.policy is not None and verdict.policy.looser:
        found.insert(
            0, f"Thresholds of {verdict.policy.file}, looser than built in: {'; '.join(verdict.policy.looser)}."
        )
    upgrades = [check for check in verdict.checks if check.name == "upgrade" and check.status is Status.PASS]
    found += [f"Upgrade, {place(check)}: {check.why}" for check in upgrades]
    proxies = [artifact.name for artifact in verdict.artifacts if artifact.stand_in]
    if proxies:
        found.append(f"{', '.join(proxies)}: run by the {STAND_IN}, not by the device's own software.")
    found += [f"{name}: {UNHASHED}" for name in _unhashed(verdict)]
    devices = {artifact.name: (artifact.backend or "").partition(RECORDED_ON)[2] for artifact in verdict.artifacts}
    found += [f"{name}: recorded on {device}." for name, device in devices.items() if device]
    return (*found, *map(_blame, steepest(verdict)))


def _unhashed(verdict: Verdict) -> list[str]:
    """Stored galleries whose rows were looked at, without anything that tells whether they are whole."""
    checked = {check.subject for check in verdict.checks if check.name == "intact"}
    read = [artifact for artifact in verdict.artifacts if artifact.kind == "gallery" and artifact.backend]
    return [artifact.name for artifact in read if artifact.name not in checked]


def _blame(place_and_step: tuple[str, Step]) -> str:
    artifact, step = place_and_step
    assert step.change is not None
    told = "" if len(step.covers) == 1 else " --waterfall with --run RUN tells more."
    least = f"its least cosine is {step.change.min_cosine:.6f}"
    return f"{artifact}: the loss comes from {step.name}: {least}, {_points(step.change.map_change)} of mAP.{told}"


def _points(change: float | None) -> str:
    return "an unknown change" if change is None else f"{100 * change:+.1f} points"


def _lost_first_matches(verdict: Verdict) -> list[str]:
    """That rank-1 falls beyond chance where the criterion passes, in one sentence for all pairs."""
    passed = [check for check in verdict.checks if check.name == "criterion" and check.status is Status.PASS]
    lost = [check for check in passed if _rank1(check, "high") < 0]
    if not lost:
        return []
    most = min(lost, key=lambda check: _rank1(check, "change"))
    change, low, high, limit = (points(_rank1(most, name)) for name in ("change", "low", "high", "threshold"))
    told = (
        f"Rank-1 falls beyond chance in {number_of(len(lost), 'pair')}, most in {place(most)}: {change} points to the "
        f"weaker self-test (95 % interval {low} to {high}). It would fail where the whole interval lies below {limit} "
        "points."
    )
    return [told]


def _rank1(check: Check, name: str) -> float:
    """What a check tells of rank-1; 0 where that wasn't measured."""
    value = check.details.get(f"rank1_{name}")
    return value if isinstance(value, float) else 0.0


def objections(verdict: Verdict) -> tuple[Objection, ...]:
    """What stands against the fleet, failures first; checks that share place and cause are told together."""
    causes: dict[tuple[Status, str, str, str | None], list[str]] = {}
    for check in sorted(_roots(verdict), key=lambda check: check.status is not Status.FAIL):
        causes.setdefault((check.status, place(check), check.why, check.command), []).append(check.name)
    return tuple(
        Objection(status, where, tuple(checks), why, command)
        for (status, where, why, command), checks in causes.items()
    )


def consequences(verdict: Verdict) -> tuple[Consequence, ...]:
    """What is left open of artifacts because of others: of the roots in `objections`, those at another place."""
    roots = _roots(verdict)
    own = {(root.name, root.subject) for root in roots}
    found: dict[tuple[str, str, str, Status], dict[str, None]] = {}
    for check in verdict.checks:
        for cause in (root for root in roots if root is not check and _follows(check, root)):
            for side in (check.subject, check.gallery):
                if side and not cause.concerns(side) and (cause.name, side) not in own:
                    found.setdefault((check.name, side, cause.name, cause.status), {})[cause.subject] = None
    return tuple(
        Consequence(check, side, tuple(others), cause, status) for (check, side, cause, status), others in found.items()
    )


def _spaces(verdict: Verdict) -> str:
    return "one space" if len({artifact.space for artifact in verdict.artifacts}) == 1 else "two generations"


def place(check: Check) -> str:
    """What was checked: an artifact, or a pair."""
    return f"{check.subject} to {check.gallery}" if check.gallery else check.subject


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """What each is called in a table: its file name, where that tells them apart."""
    short = {path: Path(path).name for path in paths}
    return short if len(set(short.values())) == len(short) else {path: path for path in paths}


def missed(verdict: Verdict) -> set[tuple[str, str]]:
    """Pairs of query and gallery that miss the criterion; its own verdict, with its interval, decides."""
    failed = (check for check in verdict.checks if check.name == "criterion" and check.status is Status.FAIL)
    return {(check.subject, check.gallery) for check in failed if check.gallery is not None}


def untold(waterfall: Waterfall) -> tuple[tuple[str, str, str | None], ...]:
    """What could not be measured on the way: why, the names of the steps, and the command that measures them."""
    causes: dict[tuple[str, str | None], list[str]] = {}
    for step in waterfall.steps:
        if step.change is None:
            causes.setdefault((step.why, step.command), []).append(step.name)
    return tuple((why, ", ".join(steps), command) for (why, command), steps in causes.items())


def steepest(verdict: Verdict) -> tuple[tuple[str, Step], ...]:
    """Of each artifact whose fidelity failed: which step takes the most, or what can't be told apart."""
    failed = {check.subject for check in verdict.checks if check.name == "fidelity" and check.status is Status.FAIL}
    ways = (way for way in verdict.waterfalls if way.artifact in failed)
    return tuple((way.artifact, way.steepest) for way in ways if way.steepest)


def _roots(verdict: Verdict) -> list[Check]:
    """What stands against the fleet, without the mere consequences."""
    found = [check for check in verdict.checks if check.status is not Status.PASS]
    return [check for check in found if not any(_follows(check, cause) for cause in found)]


def _follows(check: Check, cause: Check) -> bool:
    """Whether a check was not possible because of another one on the same artifact, whose reason it quotes."""
    shared = cause.concerns(check.subject) or (check.gallery is not None and cause.concerns(check.gallery))
    quotes = bool(cause.why) and cause.why != check.why and cause.why in check.why
    return check.status is Status.UNVERIFIED and shared and quotes
