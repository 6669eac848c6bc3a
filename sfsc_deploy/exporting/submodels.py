"""The sub-models of a run, those of widths that were not trained among them."""

from functools import cached_property
from pathlib import Path

from torch import nn

from sfsc_deploy.alignment import align
from sfsc_deploy.artifact import CrossTested, Untrained
from sfsc_deploy.exporting.calibration import CalibrationSet, calibration_set
from sfsc_deploy.metrics import Retrieval
from sfsc_deploy.probe import Probe
from sfsc_deploy.recalibration import recalibrate
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.runtime.torch_backend import TorchEmbedder
from sfsc_deploy.slicing import slice_submodel, slice_untrained
from trainer.networks import Networks

RECALIBRATED_ON = 1024
"""Training images at most: with 256 galleries lost half a point of mAP, 2,048 gained nothing."""


class Submodels:
    """Sub-models of a run, each as it is asked for.

    Args:
        run: finished.
        given: images for batch norms; None: the run's training images.
    """

    def __init__(self, run: RunFolder, given: Path | None) -> None:
        self.run = run
        self._given = given
        self._made: dict[float, nn.Module] = {}

    @cached_property
    def networks(self) -> Networks:
        """Of the run, left as they are."""
        return self.run.networks()

    def is_trained(self, width: float) -> bool:
        """Whether a width was trained."""
        return width in self.run.widths

    def of(self, width: float) -> nn.Module:
        """The sub-model of a width; where it was not trained, recalibrated and aligned on images.

        Raises:
            SfscError: a width that can't be had, or no images to recalibrate on.
        """
        if self.is_trained(width):
            return slice_submodel(self.networks, width)
        if width not in self._made:
            submodel = slice_untrained(self.networks, width)
            recalibrate(submodel, self._images.images, self.run.preprocessing)
            align(submodel, self.networks, self._images.images, self.run.preprocessing)
            self._made[width] = submodel
        return self._made[width]

    def completed(self, probe: Probe, width: float) -> Probe:
        """A probe of the run that has a reference of this width, too."""
        if width in probe.reference:
            return probe
        model = TorchEmbedder(self.networks, width, self.run.preprocessing, submodel=self.of(width))
        return probe.with_reference(width, model.embed(probe.images))

    def untrained(self, width: float, probe: Probe) -> Untrained | None:
        """What is to be told of a width that was not trained; None of one that was.

        Args:
            width: of a sub-model.
            probe: with references of all trained widths and of this one.

        Raises:
            SfscError: no query of the probe has a match.
        """
        if self.is_trained(width):
            return None
        own = _retrieved(probe, width, width)
        trained = tuple(
            CrossTested(
                width=other,
                self_test=_retrieved(probe, other, other).map,
                as_query=_retrieved(probe, width, other).map,
                as_gallery=_retrieved(probe, other, width).map,
            )
            for other in self.run.widths
        )
        return Untrained(
            batch_norms=self._images.record(),
            aligned=self.run.recipe.aligned,
            self_test=own.map,
            queries=own.queries,
            trained=trained,
        )

    @cached_property
    def _images(self) -> CalibrationSet:
        return calibration_set(self.run, self._given, most=RECALIBRATED_ON, purpose="to recalibrate batch norms on")


def _retrieved(probe: Probe, query: float, gallery: float) -> Retrieval:
    return probe.search(probe.reference[query], probe.reference[gallery])
