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
from sfsc_deploy.exporting.request import Wanted
from sfsc_deploy.exporting.submodels import Submodels
from sfsc_deploy.probe import Probe


@dataclass(frozen=True)
class Made:
    """What was written, and what is embedded in it."""

    wanted: Wanted
    description: Description
    result: ExportResult


class Maker:
    """Writes sub-models of a loaded run.

    Args:
        submodels: of the run.
        calibration: images for int8; None: the run's own.
        probe: with references of all widths that are written.
    """

    def __init__(self, submodels: Submodels, calibration: Path | None, probe: Probe) -> None:
        self._run = submodels.run
        self._submodels = submodels
        self._given = calibration
        self._probe = probe

    def make(self, wanted: Wanted, folder: Path) -> Made:
        """Write the files of an artifact into a folder.

        Raises:
            SfscError: a width that was not trained, or no calibration images for int8.
            ExportError: a model or a precision that can't be exported.
        """
        description = self._description(wanted)
        request = self._request(wanted, {EMBEDDED_KEY: description.model_dump_json()})
        submodel = self._submodels.of(wanted.width)
        result = export_model(wanted.profile.format, submodel, request, folder / wanted.profile.name)
        return Made(wanted, description, result)

    def harm(self, wanted: Wanted, folder: Path) -> dict[str, float]:
        """Measure what int8 does to each layer; see `exporters.formats.harm`."""
        submodel = self._submodels.of(wanted.width)
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
            untrained=self._submodels.untrained(wanted.width, self._probe),
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
