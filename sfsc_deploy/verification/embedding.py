"""What a subject makes of the probe and of the images for cross-tests, each embedded once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.blocks import ImageBlocks, block_of
from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import Preprocessing, UnreadableImageError
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import Labels, Retrieval, retrieve
from sfsc_deploy.probe import Probe
from sfsc_deploy.runtime import Embedder
from sfsc_deploy.verification.probes import ProbeAtHand
from sfsc_deploy.verification.verdict import Finding, Status, failed, unverified


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The queries and the gallery of a data set, prepared for a model.

    Attributes:
        data: name of the data set.
        query: Q images.
        gallery: G images.
        query_labels: of the Q queries.
        gallery_labels: of the G gallery images.
    """

    data: str
    query: ImageBlocks
    gallery: ImageBlocks
    query_labels: Labels
    gallery_labels: Labels


class Images:
    """The images that the user gave for cross-tests, decoded once for each preprocessing; to be closed."""

    def __init__(self, data: DataSet | None) -> None:
        self._data = data
        self._held_out: dict[Preprocessing, HeldOut] = {}

    def held_out(self, preprocessing: Preprocessing) -> HeldOut | None:
        """Queries and gallery; None where the user gave none."""
        if self._data is None:
            return None
        if preprocessing not in self._held_out:
            query, gallery = (
                ImageBlocks(part.sources, preprocessing) for part in (self._data.query, self._data.gallery)
            )
            self._held_out[preprocessing] = HeldOut(self._data.name, query, gallery, *self._data.labels())
        return self._held_out[preprocessing]

    def close(self) -> None:
        """Drop the pixels."""
        for held_out in self._held_out.values():
            held_out.query.close()
            held_out.gallery.close()


@dataclass(frozen=True, eq=False)
class Rows:
    """Embeddings for cross-tests, and whom they show.

    Attributes:
        images: what was embedded; only rows of the same images are compared.
        query: float32 [Q, D].
        gallery: float32 [G, D].
        query_labels: of the Q queries.
        gallery_labels: of the G gallery images.
    """

    images: str
    query: NDArray[np.float32]
    gallery: NDArray[np.float32]
    query_labels: Labels
    gallery_labels: Labels

    @classmethod
    def of_probe(cls, images: str, probe: Probe, embedding: NDArray[np.float32]) -> "Rows":
        """The photographs of a probe, of whose images all are embedded: float32 [N, D]."""
        query, gallery = probe.retrieval()
        return cls(images, embedding[query], embedding[gallery], probe.labels(query), probe.labels(gallery))

    def searched_in(self, gallery: "Rows") -> Retrieval:
        """How well these queries are answered by the gallery of other rows of the same images."""
        return retrieve(self.query, gallery.gallery, self.query_labels, gallery.gallery_labels)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """All that a subject embedded.

    Attributes:
        probe: float32 [N, D] of all images of the probe, or why there is none.
        rows: for cross-tests, or why there are none.
    """

    probe: NDArray[np.float32] | Finding
    rows: Rows | Finding

    @property
    def obstacle(self) -> Finding | None:
        """Why something is missing that should be there: a failure first, whatever else there is."""
        found = [part for part in (self.probe, self.rows) if isinstance(part, Finding)]
        failures = [finding for finding in found if finding.status is Status.FAIL]
        if failures or len(found) == 2:
            return (failures or found)[0]
        return None

    def all_rows(self) -> NDArray[np.float32]:
        """Every row there is, float32 [M, D]: of the probe first."""
        parts = [] if isinstance(self.probe, Finding) else [self.probe]
        if isinstance(self.rows, Rows):
            parts += [self.rows.query, self.rows.gallery]
        return np.concatenate(parts)


def embed_all(embedder: Embedder, at_hand: ProbeAtHand | Finding, held_out: HeldOut | None) -> Embeddings:
    """Embed the probe and what cross-tests are made on: `held_out` where given, else the probe's photographs.

    Args:
        embedder: of the subject.
        at_hand: its probe, or why there is none.
        held_out: what the user gave.
    """
    if isinstance(at_hand, Finding):
        return Embeddings(at_hand, at_hand if held_out is None else _held_out_rows(embedder, held_out))
    alone = _data_set_alone(embedder, at_hand.probe)
    probe = _embed(embedder, at_hand.probe.images) if alone is None else alone
    if held_out is None:
        return Embeddings(probe, probe if isinstance(probe, Finding) else _probe_rows(at_hand, probe))
    return Embeddings(probe, _held_out_rows(embedder, held_out))


def _data_set_alone(embedder: Embedder, probe: Probe) -> Finding | None:
    """That the labelled images of a recording are those of a data set, as a stored gallery's are; None where not."""
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    if not isinstance(embedder, RecordedEmbedder) or embedder.labels is None:
        return None
    if embedder.preprocessing != probe.preprocessing or embedder.holds_any_of(probe.images):
        return None
    return unverified(
        f"{embedder.name} holds rows of a data set, but not of the probe: a stored gallery is given as --gallery "
        f"{embedder.name} --data DIR. For an artifact stands a recording of the probe.",
        f"sfsc-deploy embed {embedder.recording.artifact} --out OTHER.safetensors",
    )


def _held_out_rows(embedder: Embedder, held_out: HeldOut) -> Rows | Finding:
    query = _embed(embedder, held_out.query)
    if isinstance(query, Finding):
        return query
    gallery = _embed(embedder, held_out.gallery)
    if isinstance(gallery, Finding):
        return gallery
    return Rows(held_out.data, query, gallery, held_out.query_labels, held_out.gallery_labels)


def _probe_rows(at_hand: ProbeAtHand, embedding: NDArray[np.float32]) -> Rows:
    return Rows.of_probe(f"probe {at_hand.path}", at_hand.probe, embedding)


def _embed(embedder: Embedder, images: NDArray[np.uint8] | ImageBlocks) -> NDArray[np.float32] | Finding:
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    try:
        return _embed_blocks(embedder, images) if isinstance(images, ImageBlocks) else embedder.embed(images)
    except UnreadableImageError:
        raise
    except SfscError as error:
        if isinstance(embedder, RecordedEmbedder):  # other images were recorded: nothing is wrong with those
            return unverified(error.message, error.remedy)
        return failed(error.message)


def _embed_blocks(embedder: Embedder, images: ImageBlocks) -> NDArray[np.float32]:
    """Block by block; each is a multiple of the largest batch, so that the batches are those of all images at once."""
    return embedder.embed_blocks(images.blocks(block_of(embedder.max_batch)))
