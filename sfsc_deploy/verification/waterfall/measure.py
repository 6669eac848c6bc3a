"""The waterfall of one artifact."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.formats import ARTIFACT_FORMATS
from sfsc_deploy.runtime import Embedder
from sfsc_deploy.verification.opening import Opened
from sfsc_deploy.verification.probes import ProbeAtHand
from sfsc_deploy.verification.waterfall.chain import Gap, Station, steps_between
from sfsc_deploy.verification.waterfall.origins import Origins
from sfsc_deploy.verification.waterfall.plain import artifact_stations
from sfsc_deploy.verification.waterfall.steps import Waterfall

_Rows = NDArray[np.float32]


def waterfall(opened: Opened, at_hand: ProbeAtHand, own: _Rows, origins: Origins) -> Waterfall | None:
    """Follow the embeddings of an artifact from their reference to the device.

    Args:
        opened: the artifact.
        at_hand: the probe of its space.
        own: what the artifact gave for all images of the probe, float32 [N, D].
        origins: the runs at hand.

    Returns:
        None of what is no artifact (a run folder), or has no reference of its width.
    """
    description = opened.subject.sidecar or opened.embedded
    if description is None or opened.embedder is None or description.width not in at_hand.probe.reference:
        return None
    stations = _stations(opened, at_hand, own, origins)
    reference = at_hand.probe.reference[description.width]
    return Waterfall(opened.subject.name, tuple(steps_between(at_hand.probe, reference, stations)))


def _stations(opened: Opened, at_hand: ProbeAtHand, own: _Rows, origins: Origins) -> Iterator[Station]:
    subject, embedder, probe = opened.subject, opened.embedder, at_hand.probe
    description = subject.sidecar or opened.embedded
    assert description is not None
    assert embedder is not None
    precision, backend = artifact_stations(subject, embedder, own, probe.images, wanted=origins.wanted)
    yield from origins.in_torch(description, probe)
    is_float32 = description.precision == "float32"
    if is_float32 and not ARTIFACT_FORMATS[description.format].optimised:
        # The artifact is the float32 file itself, so that what befell it since shows as the export's.
        yield Station("export", precision.found)
    else:
        yield origins.exported(description, probe)
    yield Station("precision", Gap("It is float32 itself.", beside=True)) if is_float32 else precision
    yield backend
    yield Station("decode-resize", _decoded_here(embedder, at_hand, own))


def _decoded_here(embedder: Embedder, at_hand: ProbeAtHand, own: _Rows) -> _Rows | Gap:
    """Embeddings of the raw images as this machine (of a recording: the device) makes them its input."""
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    if isinstance(embedder, RecordedEmbedder):
        return _decoded_there(embedder, own)
    try:
        here = at_hand.decoded_here
        differing = np.flatnonzero((here != at_hand.probe.images).any(axis=(1, 2, 3)))
        found = own.copy()
        found[differing] = embedder.embed(here[differing])
        return found
    except SfscError as error:
        return Gap(error.message, error.remedy)


def _decoded_there(embedder: Embedder, own: _Rows) -> _Rows | Gap:
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    assert isinstance(embedder, RecordedEmbedder)
    recording = embedder.recording
    if recording.drift is not None and recording.drift.max_levels == 0:
        return own  # the device made the very pixels of the probe
    why = f"The embeddings of what {recording.device} itself decodes were not recorded"
    if recording.drift is not None:
        why += f", only how far its pixels are off: {recording.drift.mean_levels:.3f} levels of 255 in the mean"
    return Gap(f"{why}.")
