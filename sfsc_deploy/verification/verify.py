"""The verification of a fleet, from what the user named to the verdict."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sfsc_deploy.data.checks import without_unreadable
from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import UnreadableImageError
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import MAX_BATCH
from sfsc_deploy.verification.embedding import Images
from sfsc_deploy.verification.examination import OnCheck, Setting, examine
from sfsc_deploy.verification.fleet import Fleet
from sfsc_deploy.verification.operating_point import refuse_new_anchor, refuse_senseless
from sfsc_deploy.verification.policy import DEFAULT, Policy, refuse_unknown_profiles
from sfsc_deploy.verification.probes import Probes
from sfsc_deploy.verification.stored_checks import Stored, open_stored
from sfsc_deploy.verification.subject import Subject, find_subjects
from sfsc_deploy.verification.verdict import Verdict
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
        anchor: the subject that it is tuned on; None: the widest, of equal ones the most precise (of an upgrade, among
            the old generation).
        run: run folder that the artifacts were exported from, for waterfalls; those among the subjects serve, too.
        waterfall: tell the steps of each waterfall apart, though it takes time.
        on_progress: hears of each check before it is made: subject, name of the check.

    Raises:
        SfscError: what was given makes no sense: fewer than two subjects, one twice or as the stored gallery too, one
            that doesn't exist, a probe or a run of another space, images that can't be read, a policy for a profile
            that nobody knows, an anchor of the new generation. What is wrong with an artifact is in the verdict.
    """
    on_check = on_progress or (lambda subject, check: None)
    refuse_senseless(fpr, anchor, subjects)
    found = find_subjects(subjects, least=1 if gallery else 2)
    _refuse_itself(gallery, found)
    refuse_unknown_profiles(policy, found)
    if upgrade:
        refuse_new_anchor(anchor, {subject.name: subject.facts.space if subject.facts else None for subject in found})
    origins = Origins(found, run, wanted=waterfall or run is not None)
    setting = Setting(Probes(found, probe), Images(data), max_batch, policy, origins)
    with _decoding(data, setting.images):
        stored = _stored(gallery, data, setting) if gallery else None
        examinations = tuple(examine(subject, setting, on_check) for subject in found)
    fleet = Fleet(examinations, stored, policy, upgrade=upgrade)
    if upgrade:  # what has no sidecar told its space when it was opened
        refuse_new_anchor(anchor, {artifact.name: artifact.space for artifact in fleet.artifacts})
    matrix, pairs = fleet.cross_tests(lambda name: on_check(name, "criterion"))
    if fpr is not None:
        pairs += fleet.operating_points(fpr, anchor)
    return fleet.verdict(matrix, pairs, data)


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


def _refuse_itself(gallery: Path | None, subjects: Sequence[Subject]) -> None:
    same = [each for each in subjects if gallery and each.path.resolve() == gallery.resolve()]
    if same:
        raise SfscError(
            f"{same[0].name} is the stored gallery as well: its rows would only be compared with themselves.",
            "Name an artifact, or embeddings that were recorded from another one.",
        )


def _stored(gallery: Path, data: DataSet | None, setting: Setting) -> Stored:
    if data is None:
        raise SfscError("Whom the rows of a stored gallery show has to be known.", "Name its images with --data DIR.")
    return open_stored(gallery, data, setting.images, setting.policy)
