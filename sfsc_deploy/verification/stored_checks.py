"""Is an artifact safe against embeddings that are stored already, without the model that made them?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import Labels, Retrieval
from sfsc_deploy.verification import numerics
from sfsc_deploy.verification.cross_test import Contestant, Searches, cell_of
from sfsc_deploy.verification.embedding import Images, Rows
from sfsc_deploy.verification.judgement import MORE_IMAGES, judge
from sfsc_deploy.verification.policy import Policy
from sfsc_deploy.verification.stored_gallery import StoredGallery, paths_of, read_gallery
from sfsc_deploy.verification.thresholds import MIN_IMAGES, MIN_OWN_ROWS, Thresholds
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

_NAMED = 3
_STRANGER = "What made it is not what was exported: its hash is not that of its sidecar."


@dataclass(frozen=True, eq=False)
class Stored:
    """A stored gallery, laid beside the images of a data set.

    Attributes:
        artifact: who it is.
        findings: by name, of the checks that need no artifact.
        rows: float32 [G, D], of the G gallery images in their order; None where one of these checks fails.
        query: float32 [Q, D] by the model that made it; None where the file doesn't hold them.
        paths: of the G images.
    """

    artifact: Artifact
    findings: Mapping[str, Finding]
    rows: NDArray[np.float32] | None = None
    query: NDArray[np.float32] | None = None
    paths: Sequence[str] = ()


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
    rows = gallery.embedding
    paths = paths_of(data.gallery, data)
    if gallery.preprocessing is None:
        found, asked = gallery.rows_by_path(paths), gallery.rows_by_path(paths_of(data.query, data))
    else:
        held_out = images.held_out(gallery.preprocessing)
        assert held_out is not None
        found, asked = (gallery.rows_by_pixels(each) for each in (held_out.gallery, held_out.query))
    finite = numerics.finite(rows)
    findings = {
        "readable": passed(f"{len(rows)} rows, D = {rows.shape[1]}."),
        "intact": failed(_STRANGER) if gallery.stranger else passed("Nothing speaks against its being what it says."),
        "rows": _rows(gallery, found, paths),
        "finite": finite,
        **_numbers(rows, policy.thresholds(gallery.precision), finite),
    }
    told = Artifact(
        gallery.name, "gallery", gallery.space, gallery.width, gallery.precision, gallery.backend, probe=None
    )
    if any(finding.status is not Status.PASS for finding in findings.values()):
        return Stored(told, findings, paths=paths)
    return Stored(told, findings, rows[found], rows[asked] if (asked >= 0).all() else None, paths)


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
        checks.append(Check.of("own-row", each.name, own_row(each.embedded, stored.rows, stored.paths), name))
        there = replace(each.embedded, gallery=stored.rows)
        cross = there.searched_in(there)
        maker = None if stored.query is None else replace(there, query=stored.query).searched_in(there)
        own = searches.of(each, each)
        identity = each.embedded.query_labels.identity
        checks.append(Check.of("criterion", each.name, _criterion(cross, own, maker, identity, each.limits), name))
        cells[each.name, name] = cell_of(each.name, name, cross, identity)
        if maker is not None:
            cells[name, name] = cell_of(name, name, maker, identity)
    return [cell for cell in cells.values() if cell], checks


def own_row(rows: Rows, stored: NDArray[np.float32], paths: Sequence[str]) -> Finding:
    """Of each gallery image: is its stored row nearer to the artifact's row than most rows of other identities?

    A row of another image, or of another space, is so only half the time.

    Args:
        rows: what the artifact embedded.
        stored: float32 [G, D], of the same gallery images.
        paths: of these G images.
    """
    nearer = _nearer_than(rows.gallery, stored, rows.gallery_labels)
    told = np.flatnonzero(~np.isnan(nearer))
    if len(told) < MIN_IMAGES:
        return unverified(f"Only {len(told)} gallery images have others to be compared with.", MORE_IMAGES)
    own = nearer[told] > 0.5
    share = float(own.mean())
    strange = told[~own]
    named = ", ".join(paths[row] or f"row {row}" for row in strange[np.argsort(nearer[strange])][:_NAMED])
    why = (
        f"The stored rows of {100 * share:.1f} % of {len(told)} images are nearer to what the artifact makes of them "
        "than most rows of other identities; of wrong rows half would be."
    )
    if share < MIN_OWN_ROWS:
        why += " They are of other images, of another space, or of images that the artifact can't tell apart."
    return measured(share >= MIN_OWN_ROWS, why + (f" Not: {named}." if named else ""), share, MIN_OWN_ROWS)


def _nearer_than(rows: NDArray[np.float32], stored: NDArray[np.float32], labels: Labels) -> NDArray[np.float64]:
    """Share of the rows of other identities that each image's own row beats, float64 [G]; NaN without others."""
    share = np.full(len(rows), np.nan)
    block = 256
    for start in range(0, len(rows), block):
        scores = rows[start : start + block] @ stored.T
        here = np.arange(len(scores))
        others = labels.identity[start : start + block, None] != labels.identity[None, :]
        beaten = ((scores < scores[here, start + here][:, None]) & others).sum(axis=1)
        count = others.sum(axis=1)
        share[start : start + block] = np.divide(beaten, count, out=np.full(len(count), np.nan), where=count > 0)
    return share


def _numbers(rows: NDArray[np.float32], limits: Thresholds, finite: Finding) -> dict[str, Finding]:
    if finite.status is not Status.PASS:
        return {name: not_reached("finite", finite) for name in ("norm", "collapse")}
    # Which images are the same isn't known of stored rows, so each row counts as one of its own.
    numbered = np.arange(len(rows), dtype=np.int64).view(np.uint8).reshape(-1, 1, 8, 1)
    return {
        "norm": numerics.norm(rows, limits),
        "collapse": numerics.collapse(rows, numbered),
    }


def _rows(gallery: StoredGallery, found: NDArray[np.int64], paths: Sequence[str]) -> Finding:
    """Every gallery image has its row."""
    if gallery.repeated:
        return failed(f"It names {len(gallery.repeated)} images twice, as {gallery.repeated[0]}.")
    missing = np.flatnonzero(found < 0)
    rest = len(gallery.embedding) - len(set(found[found >= 0].tolist()))
    if missing.size:
        first = paths[missing[0]] or f"image {missing[0]}"
        return measured(
            False,
            f"{missing.size} of {len(found)} gallery images have no row in it, as {first}; {rest} of its "
            f"{len(gallery.embedding)} rows are of no image of this gallery.",
            int(missing.size),
            0,
        )
    others = f" {rest} more rows, of other images, were only looked at for their numbers." if rest else ""
    return measured(True, f"Each of {len(found)} gallery images has its row.{others}", 0, 0)


def _obstacle(artifact: Contestant, stored: Stored, spaces: Mapping[str, Finding]) -> Finding | None:
    broken = next((item for item in stored.findings.items() if item[1].status is not Status.PASS), None)
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
    if not cross.queries:
        return unverified("No query has a match in the gallery.", MORE_IMAGES)
    if maker is not None:
        return judge(cross, min(own, maker, key=lambda result: result.map), identity, limits=limits)
    found = judge(cross, own, identity, "its self-test", limits)
    if found.status is Status.PASS:
        return replace(found, why=f"{found.why} The self-test of the gallery's maker isn't known, nor needed for that.")
    if found.status is Status.FAIL:
        return unverified(
            f"{found.why} Whether that is a loss depends on the self-test of the gallery's maker, which isn't known: "
            f"it is none if that has at most {100 * cross.map:.1f} %.",
            "sfsc-deploy embed MAKER --data DIR --out GALLERY.safetensors",
        )
    return found
