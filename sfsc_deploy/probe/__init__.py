"""The probe: a small labelled set of raw images with reference embeddings, shipped with the artifacts."""

from sfsc_deploy.probe.choice import ProbeSize, build, refuse_too_few
from sfsc_deploy.probe.contents import Embed, Probe
from sfsc_deploy.probe.drift import Drift, decoded_here, preprocessing_drift

__all__ = ["Drift", "Embed", "Probe", "ProbeSize", "build", "decoded_here", "preprocessing_drift", "refuse_too_few"]
