"""The sidecar of what an exporter wrote, with its fidelity measured on the probe."""

from pathlib import Path

import numpy as np

from exporters.request import ExportResult
from sfsc_deploy import __version__
from sfsc_deploy.artifact import Build, Description, Fidelity, ProbeFile, Rung, Sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of, size_of
from sfsc_deploy.probe import Probe
from sfsc_deploy.runtime import BackendMissing, BackendUnavailable, load
from sfsc_deploy.scores import row_cosines


def describe(
    description: Description,
    result: ExportResult,
    ladder: tuple[Rung, ...] | None,
    probe_file: ProbeFile,
    probe: Probe,
) -> Sidecar:
    """The whole record of an artifact that lies where the exporter wrote it.

    Raises:
        SfscError: it gives no usable numbers for an image of the probe.
    """
    return Sidecar(
        **description.model_dump(exclude={"precision"}),
        precision=result.precision,
        precision_per_layer=dict(result.precision_per_layer) if result.precision_per_layer else None,
        ladder=ladder,
        files={file.name: sha256_of(file) for file in result.files},
        parameters=result.parameters,
        multiply_adds=result.multiply_adds,
        size_bytes=sum(map(size_of, result.files)),
        tools={"sfsc-deploy": __version__, **result.tools},
        build=Build(status=result.status, command=result.command),
        probe=probe_file,
        fidelity=_fidelity(result.files[0], probe, description.width),
    )


def written_sidecars(stem: str, suffix: str, result: ExportResult) -> list[str]:
    """Names of the files that get the sidecar: what was written, and the artifact that is yet to be built from it."""
    return list(dict.fromkeys([result.files[0].name, f"{stem}{suffix}"]))


def _fidelity(model: Path, probe: Probe, width: float) -> Fidelity | None:
    """Row-wise cosine to the reference; None where this machine lacks what runs the file.

    Raises:
        SfscError: a file that fails when it is run, or a row that has no direction to compare.
    """
    try:
        with load(model) as embedder:
            embedding = embedder.embed(probe.images)
    except (BackendUnavailable, BackendMissing):
        return None
    norms = np.linalg.norm(embedding.astype(np.float64), axis=1)
    broken = np.count_nonzero(~((norms > 0) & np.isfinite(norms)))
    if broken:
        raise SfscError(
            f"{model.name} gives NaN, infinity or nothing but zeros for {broken} of {len(norms)} images of the probe.",
            "Export it in another precision, such as --precision float32.",
        )
    cosine = row_cosines(embedding, probe.reference[width])
    return Fidelity(
        min_cosine=float(cosine.min()),
        p1_cosine=float(np.percentile(cosine, 1)),
        median_cosine=float(np.median(cosine)),
        images=len(cosine),
    )
