"""What a run gives at the stations before the artifact: supernet, sub-model, folded sub-model, float32 file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exporters.errors import ExportError
from exporters.formats import export
from exporters.request import CoremlTarget, ExportRequest
from sfsc_deploy.artifact import Description
from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import extra_of, install_command
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.verification.subject import Subject
from sfsc_deploy.verification.waterfall.chain import Gap, Station
from sfsc_deploy.verification.waterfall.plain import plainly

if TYPE_CHECKING:
    from trainer.networks import Networks

_Rows = NDArray[np.float32]
_ASK = "sfsc-deploy verify-compat ... --waterfall --run RUN"
_NOT_ASKED = Gap("It takes time, and was not asked for.", _ASK)
_UNTRAINED = Gap("Its width was not trained: it was recalibrated on images that are not at hand.")
_IN_TORCH = ("reference", "slicing", "folding")


class Origins:
    """Embeds what the runs at hand give, each once, however many artifacts were made of it.

    Args:
        subjects: what is verified; run folders among them are at hand.
        run: another run folder that the user named.
        wanted: whether it is worth the time; else every station is a gap.

    Raises:
        SfscError: the named run doesn't exist, or belongs to none of the subjects. What is wrong with it otherwise is
            told at each station that takes it.
    """

    def __init__(self, subjects: Sequence[Subject], run: Path | None = None, *, wanted: bool = False) -> None:
        self.wanted = wanted
        self._runs: dict[str, RunFolder] = {}
        self._networks: dict[str, Networks] = {}
        self._made: dict[tuple[object, ...], _Rows | Gap] = {}
        self._missing = Gap("No run folder of its space is at hand.", _ASK)
        if run is not None:
            self._take_named(run, subjects)
        for subject in subjects:
            if wanted and subject.kind == "run":
                self._take(RunFolder.open(subject.path))

    def in_torch(self, description: Description, probe: Probe) -> list[Station]:
        """The ends of the steps before the export, of the sub-model that an artifact holds."""
        return [Station(step, self._in_torch(step, description, probe)) for step in _IN_TORCH]

    def exported(self, description: Description, probe: Probe) -> Station:
        """The end of the export: a float32 file made anew; what is no CoreML package began as an ONNX file."""
        name = "coreml" if description.format == "coreml" else "onnx"

        def make(networks: "Networks") -> _Rows:
            from sfsc_deploy.slicing import slice_submodel

            with TemporaryDirectory() as folder:
                submodel = slice_submodel(networks, description.width)
                result = export(name, submodel, _request(name, description), Path(folder) / "float32")
                return plainly(result.files[0], probe.images)

        key = ("export", name, description.space, description.width, id(probe))
        return Station("export", self._once(key, description, make))

    def _take_named(self, path: Path, subjects: Sequence[Subject]) -> None:
        if not path.exists():
            raise SfscError(f"The run {path} does not exist.", "Check the path given with --run.")
        try:
            run = RunFolder.open(path)
            space = run.space
        except SfscError as error:
            self._missing = Gap(error.message, error.remedy)
            return
        _refuse_strange(path, space, subjects)
        self._take(run)

    def _take(self, run: RunFolder) -> None:
        self._runs.setdefault(run.space, run)

    def _in_torch(self, step: str, description: Description, probe: Probe) -> _Rows | Gap:
        def make(networks: "Networks") -> _Rows:
            from sfsc_deploy.verification.waterfall.torch_stations import MODELS, embed

            return embed(MODELS[step](networks, description.width), probe.images, probe.preprocessing)

        return self._once((step, description.space, description.width, id(probe)), description, make)

    def _once(
        self, key: tuple[object, ...], description: Description, make: "Callable[[Networks], _Rows]"
    ) -> _Rows | Gap:
        if not self.wanted:
            return _NOT_ASKED
        if description.untrained:
            return _UNTRAINED
        if key not in self._made:
            self._made[key] = self._attempt(description.space, make)
        return self._made[key]

    def _attempt(self, space: str, make: "Callable[[Networks], _Rows]") -> _Rows | Gap:
        if space not in self._runs:
            return self._missing
        try:
            if space not in self._networks:
                self._networks[space] = self._runs[space].networks()
            return make(self._networks[space])
        except (SfscError, ExportError) as error:
            return Gap(error.message, error.remedy)
        except ModuleNotFoundError as error:
            extra = extra_of(error.name or "")
            if extra is None:
                raise
            return Gap(f"It takes {error.name}, which is not installed here.", install_command(extra))


def _refuse_strange(run: Path, space: str, subjects: Sequence[Subject]) -> None:
    if space not in {subject.facts.space for subject in subjects if subject.facts}:
        raise SfscError(
            f"The run {run} belongs to space {space[:12]}, none of the artifacts does.",
            "Give the run that these artifacts were exported from, or leave it out.",
        )


def _request(name: str, description: Description) -> ExportRequest:
    preprocessing, coreml = description.input.preprocessing, description.profile.get("coreml")
    target = str(coreml.get("minimum_deployment_target")) if isinstance(coreml, dict) else None
    return ExportRequest(
        height=preprocessing.height,
        width=preprocessing.width,
        mean=preprocessing.mean,
        std=preprocessing.std,
        dim=description.dim,
        batch=(1, 1, 1) if name == "coreml" else (1, 8, 32),
        coreml=CoremlTarget(target) if name == "coreml" and target else None,
    )
