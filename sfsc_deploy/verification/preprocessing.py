"""Do images reach the model here as they reached it when the probe was made?"""

from sfsc_deploy.errors import SfscError
from sfsc_deploy.probe import Drift
from sfsc_deploy.runtime import Embedder
from sfsc_deploy.verification.probes import ProbeAtHand
from sfsc_deploy.verification.thresholds import MAX_DRIFT, MAX_DRIFT_MEAN
from sfsc_deploy.verification.verdict import Finding, failed, measured, unverified


def preprocessing(embedder: Embedder, at_hand: ProbeAtHand) -> Finding:
    """Decode and resize the probe's raw images here (of a recording: there) and compare them with the probe's."""
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    if isinstance(embedder, RecordedEmbedder):
        if embedder.recording.drift is None:
            reason = ": Pillow was missing there, or too old" if embedder.by_kit else ""
            why = f"It was recorded without trying the device's own decoding on the probe{reason}."
            return unverified(why, embedder.again)
        return judge_drift(embedder.recording.drift, embedder.recording.device)
    try:
        return judge_drift(at_hand.drift, "this machine")
    except SfscError as error:
        return failed(error.message)


def judge_drift(drift: Drift, machine: str) -> Finding:
    """Judge how far the decoding and resizing of `machine` are from the probe's."""
    why = (
        f"{drift.images} raw images decoded and resized on {machine} differ by {drift.mean_levels:.3f} levels of 255 "
        f"in the mean (at most {MAX_DRIFT_MEAN:g}) and by {drift.max_levels} at most (at most {MAX_DRIFT})."
    )
    holds = drift.mean_levels <= MAX_DRIFT_MEAN and drift.max_levels <= MAX_DRIFT
    return measured(holds, why, drift.mean_levels, MAX_DRIFT_MEAN, {"max_levels": drift.max_levels})
