"""Which images of a data set make a probe."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.images import Preprocessing, read_image
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import JUNK
from sfsc_deploy.probe.contents import Probe
from sfsc_deploy.probe.patterns import draw_patterns


@dataclass(frozen=True)
class ProbeSize:
    """How many images a probe takes at most.

    Attributes:
        identities: number of identities.
        queries_each: queries of each identity.
        gallery_each: gallery images of each identity.
    """

    identities: int = 32
    queries_each: int = 2
    gallery_each: int = 4


@dataclass(frozen=True)
class _Candidate:
    """An identity and its rows in the query split (those that have a match) and in the gallery split."""

    queries: tuple[int, ...]
    gallery: tuple[int, ...]


@dataclass(frozen=True)
class _Choice:
    """A chosen image: row `row` of `split`, of the identity that the probe calls `identity`."""

    split: Split
    row: int
    identity: int
    is_query: bool


_DEFAULT_SIZE = ProbeSize()


def build(
    query: Split,
    gallery: Split,
    preprocessing: Preprocessing,
    *,
    space: str,
    origin: str,
    size: ProbeSize = _DEFAULT_SIZE,
    seed: int = 0,
) -> Probe:
    """Choose a few identities with a few images each, and add the patterns; references are yet to be filled.

    Only identities that some query can find in the gallery are eligible: by an image of another camera where cameras
    are known. Their images are spread over the cameras. The same seed chooses the same images.

    Args:
        query: split to take queries from.
        gallery: split to take gallery images from.
        preprocessing: that of the space.
        space: id of the space that the references will belong to.
        origin: name of the data set.
        size: limits on the number of images.
        seed: of the choice.

    Raises:
        SfscError: fewer than two eligible identities, or an image that cannot be read.
    """
    candidates = _candidates(query, gallery, origin)
    generator = np.random.default_rng(seed)
    chosen = sorted(generator.permutation(len(candidates))[: size.identities])
    choices = [
        choice
        for number, index in enumerate(chosen)
        for choice in _choose(candidates[index], number, query, gallery, size, generator)
    ]
    return _assemble(choices, preprocessing, space, origin)


def refuse_too_few(query: Split, gallery: Split, *, origin: str) -> None:
    """Make sure that a probe can be built, before hours are spent on what needs one.

    Raises:
        SfscError: fewer than two eligible identities.
    """
    _candidates(query, gallery, origin)


def _candidates(query: Split, gallery: Split, origin: str) -> list[_Candidate]:
    query_rows, gallery_rows = _rows_by_identity(query), _rows_by_identity(gallery)
    candidates = []
    for identity in sorted(query.identities & gallery.identities):
        matched = [row for row in query_rows[identity] if _has_match(row, query, gallery_rows[identity], gallery)]
        if matched:
            candidates.append(_Candidate(tuple(matched), tuple(gallery_rows[identity])))
    if len(candidates) < 2:
        raise SfscError(
            f"{origin} has {len(candidates)} identities that a query can find in the gallery; a probe needs 2.",
            "Give more identities, each in query and gallery (by different cameras, where cameras are known).",
        )
    return candidates


def _rows_by_identity(split: Split) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for row, identity in enumerate(split.identity):
        rows[identity].append(row)
    return rows


def _has_match(row: int, query: Split, gallery_rows: Sequence[int], gallery: Split) -> bool:
    if query.camera is None or gallery.camera is None:
        return True
    return any(gallery.camera[other] != query.camera[row] for other in gallery_rows)


def _choose(
    candidate: _Candidate,
    number: int,
    query: Split,
    gallery: Split,
    size: ProbeSize,
    generator: np.random.Generator,
) -> Iterator[_Choice]:
    queries = _spread(candidate.queries, query, size.queries_each, generator)
    asked = {_camera(query, row) for row in queries}
    matches = _spread(candidate.gallery, gallery, size.gallery_each, generator, later=asked)
    yield from (_Choice(query, row, number, True) for row in queries)
    yield from (_Choice(gallery, row, number, False) for row in matches)


def _spread(
    rows: Sequence[int],
    split: Split,
    count: int,
    generator: np.random.Generator,
    later: Container[int | None] = (),
) -> list[int]:
    """At most `count` of `rows`, from each camera in turn; in every turn those of `later` come after the others."""
    seen: Counter[int | None] = Counter()
    turns = []
    for row in generator.permutation(rows).tolist():
        camera = _camera(split, row)
        turns.append((seen[camera], camera in later, row))
        seen[camera] += 1
    return [row for _, _, row in sorted(turns, key=lambda turn: turn[:2])[:count]]


def _camera(split: Split, row: int) -> int | None:
    return None if split.camera is None else split.camera[row]


def _assemble(choices: Sequence[_Choice], preprocessing: Preprocessing, space: str, origin: str) -> Probe:
    patterns = draw_patterns(preprocessing.height, preprocessing.width)
    added = len(patterns)
    photographs = np.stack([read_image(choice.split.sources[choice.row], preprocessing) for choice in choices])
    return Probe(
        space=space,
        origin=origin,
        preprocessing=preprocessing,
        images=np.concatenate([photographs, patterns]),
        raw=(*(choice.split.raw(choice.row) for choice in choices), *[b""] * added),
        identity=np.array([choice.identity for choice in choices] + [JUNK] * added, np.int64),
        camera=_cameras(choices, added),
        is_query=np.array([choice.is_query for choice in choices] + [False] * added),
        is_pattern=np.array([False] * len(choices) + [True] * added),
    )


def _cameras(choices: Sequence[_Choice], added: int) -> NDArray[np.int64] | None:
    cameras = [_camera(choice.split, choice.row) for choice in choices]
    known = [camera for camera in cameras if camera is not None]
    return np.array(known + [0] * added, np.int64) if len(known) == len(cameras) else None
