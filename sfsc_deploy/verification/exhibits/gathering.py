"""Gathers the worst of a fleet with their images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.data.images import Preprocessing, read_image
from sfsc_deploy.errors import SfscError
from sfsc_deploy.probe import Probe
from sfsc_deploy.verification.exhibits.contents import Picture, WorstRow
from sfsc_deploy.verification.fidelity import COSINES
from sfsc_deploy.verification.probes import ProbeAtHand
from sfsc_deploy.verification.verdict import Finding

SIDE = 64
"""Pixels of the longer side of a picture: at most 16 kB in the page, in practice half of that."""

MOST_ROWS, MOST_ARTIFACTS = 4, 8
"""Pictures of rows: of so many artifacts, those with the least cosines, so that a page stays below a megabyte."""


@dataclass(frozen=True)
class Album:
    """The images of cross-tests, each read when it is shown.

    Attributes:
        probe: where they are those of a probe.
        data: where the user gave them.
        preprocessing: makes an array of a file.
    """

    probe: Probe | None
    data: DataSet | None
    preprocessing: Preprocessing

    def query(self, row: int) -> Picture:
        """A query, by its place among the queries."""
        return self._picture(row, is_query=True)

    def gallery(self, row: int) -> Picture:
        """A gallery image, by its place in the gallery."""
        return self._picture(row, is_query=False)

    def _picture(self, row: int, *, is_query: bool) -> Picture:
        if self.data is not None:
            split = self.data.query if is_query else self.data.gallery
            return _of_file(split, row, self.data.root, self.preprocessing)
        assert self.probe is not None
        queries, gallery = self.probe.retrieval()
        place = int((queries if is_query else gallery)[row])
        return Picture(name_in_probe(self.probe, place), png(self.probe.images[place]))


def worst_rows(found: Mapping[str, tuple[Finding, ProbeAtHand | None]]) -> tuple[WorstRow, ...]:
    """The rows with the least cosines of each artifact.

    Args:
        found: fidelity and the probe that it was measured on, by the name of the artifact.
    """
    judged = {name: (finding.details.get(COSINES), at_hand) for name, (finding, at_hand) in found.items()}
    cosines = {name: (np.array(rows), at) for name, (rows, at) in judged.items() if isinstance(rows, tuple) and at}
    shown = sorted(cosines, key=lambda name: float(cosines[name][0].min()))[:MOST_ARTIFACTS]
    return tuple(
        row
        for name, (values, at_hand) in cosines.items()
        for row in _rows_of(name, values, at_hand.probe, is_shown=name in shown)
    )


def _rows_of(artifact: str, cosines: NDArray[np.float64], probe: Probe, *, is_shown: bool) -> Iterator[WorstRow]:
    for row in np.argsort(cosines, kind="stable")[:MOST_ROWS].tolist():
        name = name_in_probe(probe, row)
        picture = Picture(name, png(probe.images[row])) if is_shown else None
        yield WorstRow(artifact, row, float(cosines[row]), name, picture)


def name_in_probe(probe: Probe, row: int) -> str:
    """What people call an image of a probe."""
    if probe.is_pattern[row]:
        return f"row {row}, a pattern"
    kind = "query" if probe.is_query[row] else "gallery image"
    camera = "" if probe.camera is None else f" by camera {probe.camera[row]}"
    return f"row {row}, {kind} of identity {probe.identity[row]}{camera}"


def png(image: NDArray[np.uint8]) -> bytes:
    """A small PNG of uint8 [H, W, 3]."""
    picture = Image.fromarray(image)
    picture.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _of_file(split: Split, row: int, root: Path | None, preprocessing: Preprocessing) -> Picture:
    source = split.sources[row]
    name = _relative(source, root) if isinstance(source, Path) else f"image {row}"
    try:
        return Picture(f"{name}, {split.identity[row] or 'junk'}", png(read_image(source, preprocessing)))
    except SfscError:  # it was read a moment ago: a page without it is better than none
        return Picture(f"{name}, which can't be read any more", png(np.zeros((8, 8, 3), np.uint8)))


def _relative(source: Path, root: Path | None) -> str:
    try:
        return source.relative_to(root or source.parent).as_posix()
    except ValueError:
        return source.name
