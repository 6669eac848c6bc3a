"""The verification of a fleet, from what the user named to the verdict."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sfsc_deploy.data.checks import without_unreadable
from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import UnreadableImageError
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import MAX_BATCH
from sfsc_deploy.verification.cross_test import Contestant, cross_test
from sfsc_deploy.verification.embedding import Images, Rows
from sfsc_deploy.verification.examination import Examination, OnCheck, Setting, examine
from sfsc_deploy.verification.exhibits.fleet import gather
from sfsc_deploy.verification.operating_point import chosen_anchor, operating_points, refuse_senseless
from sfsc_deploy.verification.policy import DEFAULT, Policy, refuse_unknown_profiles
from sfsc_deploy.verification.probes import Probes
from sfsc_deploy.verification.space import judge_generations, judge_spaces
from sfsc_deploy.verification.stored_checks import NO_SPACE, NOT_TRIED, Stored, against, open_stored
from sfsc_deploy.verification.subject import find_subjects
from sfsc_deploy.verification.verdict import CHECKS, ON_PAIRS, Artifact, Check, Finding, Verdict
from sfsc_deploy.verification.waterfall.origins import Origins


def verify(
    subjects: Sequence[str],
    *,
    data: DataSet | None = None,
    gallery: Path | None = None,
    probe: Path | None = None,
    max_batch: int = MAX_BATCH,
    policy: Policy = DEFAULT,
    upgrade: bool = False,
    fpr: float | None = None,
    anchor: str | None = None,
    run: Path | None = None,
    waterfall: bool = False,
    on_progress: OnCheck | None = None,
) -> Verdict:
    """Check each subject, then whether they may be compared with each other, and how well that works.

    Subjects are opened one after the other; of each only its embeddings are kept.

    Args:
        subjects: two or more artifacts, run folders ("runs/a", "runs/a@0.5") or recorded embeddings.
        data: images for the cross-tests; None: the photographs of the probe.
        gallery: file of embeddings that were stored of the gallery of `data`; then one subject is enough.
        probe: probe to try the subjects on; None: one that lies beside an artifact or in a run folder.
        max_batch: most images in one call of a backend.
        policy: the thresholds.
        upgrade: whether two generations are meant: that of the first subject, whose gallery is stored, and a new one.
        fpr: false positive rate: try a threshold on scores, tuned for it on one subject, on all pairs; None: don't.
        anchor: the subject that it is tuned on; None: the widest, of equal ones the most precise.
        run: run folder that the artifacts were exported from, for waterfalls; those among the subjects serve, too.
        waterfall: tell the steps of each waterfall apart, though it takes time.
        on_progress: hears of each check before it is made: subject, name of the check.

    Raises:
        SfscError: what was given makes no sense: fewer than two subjects, one twice, one that doesn't exist, a probe or
            a run of another space, images that can't be read, a policy for a profile that nobody knows. What is wrong
            with an artifact is in the verdict.
    """
    on_check = on_progress or (lambda subject, check: None)
    refuse_senseless(fpr, anchor, subjects)
    found = find_subjects(subjects, least=1 if gallery else 2)
    refuse_unknown_profiles(policy, found)
    origins = Origins(found, run, wanted=waterfall or run is not None)
    setting = Setting(Probes(found, probe), Images(data), max_batch, policy, origins)
    with _decoding(data, setting.images):
        stored = _stored(gallery, data, setting) if gallery else None
        examinations = [examine(subject, setting, on_check) for subject in found]
    everyone = [each.artifact for each in examinations] + ([stored.artifact] if stored else [])
    judge = judge_generations if upgrade else judge_spaces
    spaces = judge({each.name: each.space for each in everyone})
    contestants = [_contestant(each, policy) for each in examinations]
    matrix, pairs = cross_test(contestants, lambda name: on_check(name, "criterion"), upgrade=upgrade)
    if fpr is not None:
        artifacts = tuple(each.artifact for each in examinations)
        pairs = (*pairs, *_operating_points(artifacts, contestants, fpr, anchor, upgrade=upgrade))
    named = [(each.artifact.name, each.findings) for each in examinations]
    if stored:
        if stored.artifact.space is None:
            spaces[stored.artifact.name] = NO_SPACE
        cells, found_there = against(contestants, stored, spaces)
        matrix, pairs = (*matrix, *cells), (*pairs, *found_there)
        if fpr is not None:
            pairs = (
                *pairs,
                *(Check.of("operating-point", each.name, NOT_TRIED, stored.artifact.name) for each in contestants),
            )
        named.append((stored.artifact.name, stored.findings))
    checks = (check for name, findings in named for check in _in_order(name, findings, spaces, pairs))
    waterfalls = tuple(each.waterfall for each in examinations if each.waterfall)
    fidelity = {each.artifact.name: each.findings["fidelity"] for each in examinations}
    probes = {each.artifact.name: each.at_hand for each in examinations}
    exhibits = gather(fidelity, probes, contestants, pairs, data)
    return Verdict(tuple(everyone), tuple(checks), matrix, _images(examinations), policy.source, waterfalls, exhibits)


def _contestant(examination: Examination, policy: Policy) -> Contestant:
    artifact = examination.artifact
    limits = policy.thresholds(artifact.precision or "", artifact.profile)
    return Contestant(artifact.name, artifact.space, examination.rows, artifact.width, limits)


@contextmanager
def _decoding(data: DataSet | None, images: Images) -> Iterator[None]:
    """Images are decoded on the way; where one can't be, all such are named, so that they are mended at once."""
    try:
        yield
    except UnreadableImageError:
        if data is not None:
            without_unreadable(data, skip=False)
        raise
    finally:
        images.close()


def _operating_points(
    artifacts: Sequence[Artifact],
    contestants: Sequence[Contestant],
    fpr: float,
    anchor: str | None,
    *,
    upgrade: bool,
) -> list[Check]:
    able = [each.name for each in contestants if isinstance(each.rows, Rows)]
    chosen = anchor or chosen_anchor(artifacts, able)
    return operating_points(contestants, fpr, chosen, upgrade=upgrade)


def _stored(gallery: Path, data: DataSet | None, setting: Setting) -> Stored:
    if data is None:
        raise SfscError("Whom the rows of a stored gallery show has to be known.", "Name its images with --data DIR.")
    return open_stored(gallery, data, setting.images, setting.policy)


def _in_order(
    subject: str, findings: Mapping[str, Finding], spaces: Mapping[str, Finding], pairs: Sequence[Check]
) -> Iterator[Check]:
    findings = {**findings, "space": spaces[subject]}
    for name in CHECKS:
        if name in ON_PAIRS:
            yield from (check for check in pairs if (check.name, check.subject) == (name, subject))
        elif name in findings:
            yield Check.of(name, subject, findings[name])


def _images(examinations: Sequence[Examination]) -> str | None:
    names = dict.fromkeys(each.rows.images for each in examinations if isinstance(each.rows, Rows))
    return ", ".join(names) or None
