"""Whether a data set can be used at all, found out before anything starts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.data.images import find_unreadable
from sfsc_deploy.data.listing import some_of
from sfsc_deploy.errors import SfscError

MIN_TRAIN_IDENTITIES = 2


def check_trainable(data: DataSet) -> None:
    """Refuse a set without identities to tell apart.

    Raises:
        SfscError: fewer than two training identities.
    """
    count = len(data.train.identities)
    if count < MIN_TRAIN_IDENTITIES:
        raise SfscError(
            f"{data.root} has {len(data.train)} training images of {count} identities; training needs at least "
            f"{MIN_TRAIN_IDENTITIES} identities.",
            "Give it more identities, each with several images.",
        )


def check_measurable(data: DataSet) -> None:
    """Refuse a set whose queries have nothing to be found.

    Raises:
        SfscError: no queries, no gallery, an identity of the queries that the gallery lacks, or no query at all
            whose identity another camera took.
    """
    for name, split in (("query", data.query), ("gallery", data.gallery)):
        if not split.identities:
            raise SfscError(f"{data.root} has no {name} images.", "Give it images of identities to measure with.")
    missing = sorted(data.query.identities - data.gallery.identities)
    if missing:
        raise SfscError(
            f"{len(missing)} query identities of {data.root} have no image in the gallery:{some_of(missing)}",
            "Move some of their images to the gallery, or remove these queries.",
        )
    if not _is_any_seen_elsewhere(data.query, data.gallery):
        raise SfscError(
            f"No query of {data.root} has a match by another camera, and matches by its own camera don't count.",
            "Give query and gallery images of different cameras, or leave cameras out of names and manifest.",
        )


def without_unreadable(data: DataSet, *, skip: bool) -> DataSet:
    """The data set without the images that can't be decoded in full.

    Args:
        data: its images are all decoded once.
        skip: leave unreadable images out instead of refusing the set.

    Raises:
        SfscError: unreadable images, all counted and the first ten named with the reason, unless `skip`.
    """
    files = dict.fromkeys(
        source
        for split in (data.train, data.query, data.gallery)
        for source in split.sources
        if isinstance(source, Path)
    )
    unreadable = find_unreadable(files)
    if not unreadable:
        return data
    if not skip:
        named = some_of(f"{path}: {reason}" for path, reason in unreadable)
        raise SfscError(
            f"{len(unreadable)} of {len(files)} images in {data.root} can't be read:{named}",
            "Repair or remove them; `train` can leave them out (--skip-unreadable).",
        )
    return _without(data, [path for path, _ in unreadable])


def _without(data: DataSet, paths: Iterable[Path]) -> DataSet:
    skipped = tuple(paths)
    lost = frozenset(skipped)

    def rest(split: Split) -> Split:
        return split.keep(row for row, source in enumerate(split.sources) if source not in lost)

    return replace(data, train=rest(data.train), query=rest(data.query), gallery=rest(data.gallery), skipped=skipped)


def _is_any_seen_elsewhere(query: Split, gallery: Split) -> bool:
    if query.camera is None or gallery.camera is None:
        return True
    cameras = defaultdict(set)
    for identity, camera in zip(gallery.identity, gallery.camera, strict=True):
        cameras[identity].add(camera)
    return any(cameras[name] - {camera} for name, camera in zip(query.identity, query.camera, strict=True))
