"""Writes one sub-model of a run in one precision."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from exporters.formats import FORMATS
from exporters.formats import export as export_model
from exporters.formats import harm as measure_harm
from exporters.request import CoremlTarget, ExportRequest, ExportResult, TensorrtTarget
from profiles.schema import Profile
from sfsc_deploy.artifact import EMBEDDED_KEY, Description, InputContract, OutputContract
from sfsc_deploy.exporting.calibration import CalibrationSet, calibration_set
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.slicing import slice_submodel
from trainer.networks import Networks


@dataclass(frozen=True)
class Wanted:
    """A sub-model for a device.

    Attributes:
        profile: with the precision that is wanted.
        width: width multiplier.
        spared: layers that int8 leaves alone, by the names of their weights.
        precision: as it will be read back from the file, where layers differ; None: the profile's.
    """

    profile: Profile
    width: float
    spared: tuple[str, ...] = ()
    precision: str | None = None


@dataclass(frozen=True)
class Made:
    """What was written, and what is embedded in it."""

    wanted: Wanted
    description: Description
    result: ExportResult


class Maker:
    """Writes sub-models of a loaded run.

    Args:
        run: that the networks belong to.
        networks: left as they are.
        calibration: images for int8; None: the run's own.
    """

    def __init__(self, run: RunFolder, networks: Networks, calibration: Path | None) -> None:
        self._run = run
        self._networks = networks
        self._given = calibration

    def make(self, wanted: Wanted, folder: Path) -> Made:
        """Write the files of an artifact into a folder.

        Raises:
            SfscError: a width that was not trained, or no calibration images for int8.
            ExportError: a model or a precision that can't be exported.
        """
        description = self._description(wanted)
        request = self._request(wanted, {EMBEDDED_KEY: description.model_dump_json()})
        submodel = slice_submodel(self._networks, wanted.width)
        result = export_model(wanted.profile.format, submodel, request, folder / wanted.profile.name)
        return Made(wanted, description, result)

    def harm(self, wanted: Wanted, folder: Path) -> dict[str, float]:
        """Measure what int8 does to each layer; see `exporters.formats.harm`."""
        submodel = slice_submodel(self._networks, wanted.width)
        return dict(measure_harm(wanted.profile.format, submodel, self._request(wanted, {}), folder))

    @cached_property
    def _calibration(self) -> CalibrationSet:
        return calibration_set(self._run, self._given)

    def _calibration_for(self, profile: Profile) -> CalibrationSet | None:
        is_needed = profile.precision == "int8" and FORMATS[profile.format].int8 is not None
        return self._calibration if is_needed else None

    def _description(self, wanted: Wanted) -> Description:
        profile, calibration = wanted.profile, self._calibration_for(wanted.profile)
        return Description(
            space=self._run.space,
            run=self._run.name,
            width=wanted.width,
            format=profile.format,
            precision=wanted.precision or profile.precision,
            dim=self._run.dim,
            input=InputContract(preprocessing=self._run.preprocessing),
            output=OutputContract(dim=self._run.dim),
            profile=profile.model_dump(mode="json", exclude_none=True),
            calibration=calibration.record() if calibration else None,
        )

    def _request(self, wanted: Wanted, metadata: dict[str, str]) -> ExportRequest:
        profile, preprocessing = wanted.profile, self._run.preprocessing
        calibration, tensorrt, coreml = self._calibration_for(profile), profile.tensorrt, profile.coreml
        return ExportRequest(
            height=preprocessing.height,
            width=preprocessing.width,
            mean=preprocessing.mean,
            std=preprocessing.std,
            dim=self._run.dim,
            precision=profile.precision,
            calibration=calibration.images if calibration else None,
            spared=wanted.spared,
            batch=(profile.batch.min, profile.batch.opt, profile.batch.max),
            metadata=metadata,
            tensorrt=TensorrtTarget(**tensorrt.model_dump()) if tensorrt else None,
            coreml=CoremlTarget(coreml.minimum_deployment_target) if coreml else None,
        )
