"""Is an artifact safe against embeddings that are stored already, without the model that made them?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import Labels, Retrieval
from sfsc_deploy.verification import numerics
from sfsc_deploy.verification.criterion import criterion
from sfsc_deploy.verification.cross_test import Contestant, Searches, cell_of
from sfsc_deploy.verification.embedding import Images
from sfsc_deploy.verification.judgement import percent
from sfsc_deploy.verification.own_row import own_row
from sfsc_deploy.verification.policy import Policy
from sfsc_deploy.verification.stored_gallery import StoredGallery, paths_of, read_gallery
from sfsc_deploy.verification.subject import SubModel
from sfsc_deploy.verification.thresholds import FLOAT32, Thresholds, limits_of_pair
from sfsc_deploy.verification.verdict import (
    Artifact,
    Cell,
    Check,
    Finding,
    Status,
    failed,
    measured,
    not_reached,
    passed,
    unverified,
)

NO_SPACE = unverified(
    "It doesn't say to which space it belongs, so that it was made by a model of the artifacts' space rests on these "
    "images alone. Where you know it, write the id into its metadata as `space`."
)
"""Of a gallery that is measured nevertheless."""

NOT_TRIED = unverified(
    "A threshold is tried on pairs of artifacts only: the self-test of the gallery's maker takes its queries as well.",
    "sfsc-deploy verify-compat ARTIFACT MAKER --data DIR --fpr RATE",
)
"""Of `operating-point` on a stored gallery."""

_NO_HASH = "No hash goes with them: whether they are still what was stored, and what made them, is not checked."
_MEASURABLE = ("readable", "rows", "finite", "norm", "collapse")


@dataclass(frozen=True, eq=False)
class Stored:
    """A stored gallery, laid beside the images of a data set.

    Attributes:
        artifact: who it is.
        findings: by name, of the checks that need no artifact.
        rows: float32 [G, D], of the G gallery images in their order; None where they can't be measured.
        query: float32 [Q, D] by the model that made it; None where the file doesn't hold them.
        paths: of the G images, and of the Q queries.
        limits: for the precision of its rows.
        sub_model: that made it, where known.
    """

    artifact: Artifact
    findings: Mapping[str, Finding]
    rows: NDArray[np.float32] | None = None
    query: NDArray[np.float32] | None = None
    paths: Sequence[str] = ()
    limits: Thresholds = FLOAT32
    sub_model: SubModel | None = None


def open_stored(path: Path, data: DataSet, images: Images, policy: Policy) -> Stored:
    """Read a stored gallery, find the row of each gallery image, and check the rows themselves.

    Args:
        path: the file.
        data: whose gallery it is.
        images: those of `data`.
        policy: the thresholds.

    Raises:
        SfscError: the file doesn't exist, or an image of `data` can't be read.
    """
    if not path.exists():
        raise SfscError(f"{path} does not exist.", "Record it: sfsc-deploy embed ARTIFACT --data DIR --out FILE")
    try:
        gallery = read_gallery(path)
    except SfscError as error:
        unread = Artifact(str(path), "gallery", None, None, None, None, None)
        return Stored(unread, {"readable": failed(f"{error.message} {error.remedy}".strip())})
    return _lay_beside(gallery, data, images, policy)


def _lay_beside(gallery: StoredGallery, data: DataSet, images: Images, policy: Policy) -> Stored:
    found, asked = _find(gallery, data, images)
    paths, limits = paths_of(data.gallery, data), policy.thresholds(gallery.precision)
    findings = _look(gallery, found, asked, paths, limits)
    width = gallery.sub_model.width if gallery.sub_model else None
    told = Artifact(gallery.name, "gallery", gallery.space, width, gallery.precision, gallery.backend, probe=None)
    if _broken(findings):
        return Stored(told, findings)
    # Of some queries alone the self-test of the gallery's maker isn't known.
    rows, query = gallery.embedding[found], gallery.embedding[asked] if (asked >= 0).all() else None
    return Stored(told, findings, rows, query, [*paths, *paths_of(data.query, data)], limits, gallery.sub_model)


def _find(gallery: StoredGallery, data: DataSet, images: Images) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row of each gallery image and of each query, int64 [G] and [Q]; -1 where there is none."""
    if gallery.preprocessing is None:
        return gallery.rows_by_path(paths_of(data.gallery, data)), gallery.rows_by_path(paths_of(data.query, data))
    held_out = images.held_out(gallery.preprocessing)
    assert held_out is not None
    return gallery.rows_by_pixels(held_out.gallery), gallery.rows_by_pixels(held_out.query)


def _look(
    gallery: StoredGallery,
    found: NDArray[np.int64],
    asked: NDArray[np.int64],
    paths: Sequence[str],
    limits: Thresholds,
) -> dict[str, Finding]:
    """The checks of the file and of its rows; `intact` only where there is something to compare with."""
    rows = gallery.embedding
    shape, finite = f"{len(rows)} rows, D = {rows.shape[1]}.", numerics.finite(rows)
    return {
        "readable": passed(shape if gallery.intact else f"{shape} {_NO_HASH}"),
        **({"intact": gallery.intact} if gallery.intact else {}),
        "rows": _doubled(gallery, limits) or _rows(gallery, found, asked, paths),
        "finite": finite,
        **_numbers(rows, limits, finite),
    }


def _broken(findings: Mapping[str, Finding]) -> tuple[str, Finding] | None:
    """The first check without which the rows can't be measured."""
    needed = ((name, findings[name]) for name in _MEASURABLE if name in findings)
    return next((item for item in needed if item[1].status is not Status.PASS), None)


def against(
    contestants: Sequence[Contestant], stored: Stored, spaces: Mapping[str, Finding], searches: Searches
) -> tuple[list[Cell], list[Check]]:
    """Search the stored gallery with the queries of each artifact, and judge what they find.

    Args:
        contestants: the artifacts.
        stored: the gallery.
        spaces: whether each belongs where the others do, by name.
        searches: what was measured of the artifacts before.

    Returns:
        Cells of artifact to gallery (and of the gallery's own maker, where its queries are known), and the checks
        `own-row` and `criterion` of each artifact.
    """
    cells: dict[tuple[str, str], Cell | None] = {}
    checks = []
    name = stored.artifact.name
    for each in contestants:
        obstacle = _obstacle(each, stored, spaces)
        if obstacle is not None:
            checks += [Check.of(check, each.name, obstacle, name) for check in ("own-row", "criterion")]
            continue
        assert stored.rows is not None
        checks.append(Check.of("own-row", each.name, _own_row(each, stored), name))
        there = replace(each.embedded, gallery=stored.rows)
        cross = there.searched_in(there)
        maker = None if stored.query is None else replace(there, query=stored.query).searched_in(there)
        own = searches.of(each, each)
        identity, limits = each.embedded.query_labels.identity, limits_of_pair(each.limits, stored.limits)
        checks.append(Check.of("criterion", each.name, _criterion(cross, own, maker, identity, limits), name))
        cells[each.name, name] = cell_of(each.name, name, cross, identity)
        if maker is not None:
            cells[name, name] = cell_of(name, name, maker, identity)
    return [cell for cell in cells.values() if cell], checks


def _own_row(contestant: Contestant, stored: Stored) -> Finding:
    """Of the gallery, and of the queries where those of its maker are stored, too: its self-test rests on them."""
    assert stored.rows is not None
    made = contestant.embedded
    least = None
    if contestant.sub_model == stored.sub_model is not None:
        least = limits_of_pair(contestant.limits, stored.limits).min_cosine
    if stored.query is None:
        return own_row(made.gallery, stored.rows, made.gallery_labels, stored.paths, least)
    identity = np.concatenate([made.gallery_labels.identity, made.query_labels.identity])
    rows, all_made = np.concatenate([stored.rows, stored.query]), np.concatenate([made.gallery, made.query])
    return own_row(all_made, rows, Labels(identity), stored.paths, least)


def _numbers(rows: NDArray[np.float32], limits: Thresholds, finite: Finding) -> dict[str, Finding]:
    if finite.status is not Status.PASS:
        return {name: not_reached("finite", finite) for name in ("norm", "collapse")}
    # Which images are the same isn't known of stored rows, so each row counts as one of its own.
    numbered = np.arange(len(rows), dtype=np.int64).view(np.uint8).reshape(-1, 1, 8, 1)
    return {
        "norm": numerics.norm(rows, limits),
        "collapse": numerics.collapse(rows, numbered),
    }


def _doubled(gallery: StoredGallery, limits: Thresholds) -> Finding | None:
    """Why it can't be told which row is an image's; None where each has one, or several that are equal."""
    if gallery.repeated:
        return failed(f"It names {len(gallery.repeated)} images twice, as {gallery.repeated[0]}.")
    again = np.flatnonzero(gallery.same != np.arange(len(gallery.same)))
    rows, others = gallery.embedding[again], gallery.embedding[gallery.same[again]]
    with np.errstate(invalid="ignore"):  # whether they are finite is told by another check
        apart = float(np.nanmax(np.abs(rows - others), initial=0))
    if apart <= limits.max_batch_difference:
        return None
    return failed(f"It holds an image more than once, with rows that differ by up to {apart:.2g}.")


def _rows(gallery: StoredGallery, found: NDArray[np.int64], asked: NDArray[np.int64], paths: Sequence[str]) -> Finding:
    """Every gallery image has its row."""
    missing = np.flatnonzero(found < 0)
    known = np.concatenate([found, asked])
    rest = len(gallery.embedding) - len(np.unique(known[known >= 0]))
    if missing.size:
        first = paths[missing[0]] or f"image {missing[0]}"
        return measured(
            False,
            f"{missing.size} of {len(found)} gallery images have no row in it, as {first}; {rest} of its "
            f"{len(gallery.embedding)} rows are of no image of --data.{_other_path(gallery, paths)}",
            int(missing.size),
            0,
        )
    others = f" {rest} more rows, of other images, were only looked at for their numbers." if rest else ""
    return measured(True, f"Each of {len(found)} gallery images has its row.{others}{_some_queries(asked)}", 0, 0)


def _some_queries(asked: NDArray[np.int64]) -> str:
    """What is told where the file holds some of the queries, but not all."""
    missing = int((asked < 0).sum())
    if missing in (0, len(asked)):
        return ""
    return f" {missing} of {len(asked)} queries have no row in it: the self-test of the gallery's maker isn't known."


def _other_path(gallery: StoredGallery, paths: Sequence[str]) -> str:
    """A path of the file's own that no image of --data has: laid beside one of these, it shows a wrong prefix."""
    known = set(paths)
    other = next((path for path in gallery.by_path if path not in known), None)
    return f" Its own paths are such as {other}; they are told below the folder of --data." if other else ""


def _obstacle(artifact: Contestant, stored: Stored, spaces: Mapping[str, Finding]) -> Finding | None:
    broken = _broken(stored.findings)
    if broken is not None:
        return not_reached(*broken)
    if isinstance(artifact.rows, Finding):
        return artifact.rows
    wrong = [spaces[name] for name in (artifact.name, stored.artifact.name) if spaces[name].status is Status.FAIL]
    if wrong:
        return not_reached("space", wrong[0])
    assert stored.rows is not None
    dim, given = stored.rows.shape[1], artifact.rows.query.shape[1]
    return failed(f"Its rows have D = {dim}, the artifact gives {given}.") if dim != given else None


def _criterion(
    cross: Retrieval, own: Retrieval, maker: Retrieval | None, identity: NDArray[np.int64], limits: Thresholds
) -> Finding:
    if maker is not None:
        return criterion(cross, [own, maker], identity, limits)
    found = criterion(cross, [own], identity, limits, "its self-test")
    if found.status is Status.PASS:
        return replace(found, why=f"{found.why} The self-test of the gallery's maker isn't known, nor needed for that.")
    if found.status is Status.FAIL:
        return unverified(
            f"{found.why} Whether that is a loss depends on the self-test of the gallery's maker, which isn't known: "
            f"it is none if that has at most {' and '.join(_reached(cross, found, limits))}.",
            "sfsc-deploy embed MAKER --data DIR --out GALLERY.safetensors",
        )
    return found


def _reached(cross: Retrieval, found: Finding, limits: Thresholds) -> Iterator[str]:
    """Of what was lost, which self-test would still be met."""
    ends = {name: float(value) for name, value in found.details.items() if isinstance(value, float)}
    if ends["high"] < -limits.max_criterion_loss:
        yield f"{percent(cross.map + limits.max_criterion_loss)} of mAP"
    if ends["rank1_high"] < -limits.max_rank1_loss:
        yield f"{percent(cross.rank(1) + limits.max_rank1_loss)} of rank-1"
