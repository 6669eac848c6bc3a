"""`sfsc-deploy embed`: record on one machine what another is to verify."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfsc_deploy.cli.console import results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option
from sfsc_deploy.cli.subjects import preprocessing_of
from sfsc_deploy.errors import SfscError
from sfsc_deploy.formats import format_of, known_suffixes

if TYPE_CHECKING:
    from sfsc_deploy.runtime import Embedder
    from sfsc_deploy.runtime.recorded import Recording

IMAGES, DEVICE, FILES = "Images", "Device", "Files"


def embed(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help=f"{known_suffixes()}, or a run folder: runs/a@0.5.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE.safetensors", help="Where the embeddings go.", rich_help_panel=FILES)
    ],
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE", help="Image files.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        option("DIR|IMAGE", "Labelled or other images.", default="the probe beside SUBJECT", panel=IMAGES),
    ] = None,
    compute_units: Annotated[
        str | None,
        option("UNITS", "What of a Mac runs a CoreML package, as CPU_AND_NE.", default="its profile's", panel=DEVICE),
    ] = None,
    device_name: Annotated[
        str | None,
        option("NAME", "What to call this machine.", default="its model, or system and processor", panel=FILES),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE.safetensors.", rich_help_panel=FILES)
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Record embeddings here, to be verified elsewhere: verify-compat takes the file in place of the artifact."""
    from sfsc_deploy.runtime import load
    from sfsc_deploy.unfinished import refuse_pending

    _refuse_target(out, overwrite)
    if format_of(Path(subject).suffix):
        refuse_pending(Path(subject))
    files = _unlabelled(data)
    if images and data and not files:
        raise typer.BadParameter("give labelled images or image files, not both", param_hint="--data")
    if compute_units and not subject.endswith(".mlpackage"):
        raise typer.BadParameter("only CoreML packages are run on compute units", param_hint="--compute-units")
    with load(subject, compute_units=compute_units) as embedder:
        recording = _record(embedder, [*files, *(images or [])], data, out, device_name)
    results(json_file).print(f"{subject} on {recording.device} ({recording.backend}): {out}", soft_wrap=True)
    write_json({"file": out, **recording.model_dump(mode="json")}, json_file)


def _refuse_target(out: Path, overwrite: bool) -> None:
    from sfsc_deploy.files import refuse_unwritable

    if out.suffix != ".safetensors":
        raise SfscError(f"{out} would not be taken for embeddings.", "Let the name of --out end in .safetensors.")
    refuse_unwritable(out)
    if out.exists() and not overwrite:
        raise SfscError(f"{out} exists already.", "Choose another --out, or allow it to be replaced with --overwrite.")


def _unlabelled(data: Path | None) -> list[Path]:
    """The images of `--data` where nothing tells their identities: a single one, or those right inside a folder."""
    from sfsc_deploy.data.listing import image_files

    if data is None or data.suffix == ".csv":
        return []
    return list(image_files(data)) if data.is_dir() else [data]


def _record(
    embedder: "Embedder", files: list[Path], data: Path | None, out: Path, device_name: str | None
) -> "Recording":
    if files:
        return _record_files(embedder, files, out, device_name)
    if data:
        return _record_labelled(embedder, data, out, device_name)
    return _record_probe(embedder, out, device_name)


def _record_files(embedder: "Embedder", files: list[Path], out: Path, device_name: str | None) -> "Recording":
    from sfsc_deploy.data.blocks import ImageBlocks
    from sfsc_deploy.runtime.recorded import record

    with closing(ImageBlocks(files, preprocessing_of(embedder), keep=False)) as images:
        return record(embedder, images, out, device=device_name)


def _record_labelled(embedder: "Embedder", data: Path, out: Path, device_name: str | None) -> "Recording":
    import numpy as np

    from sfsc_deploy.data.blocks import ImageBlocks
    from sfsc_deploy.data.layouts import open_dataset
    from sfsc_deploy.metrics import Labels
    from sfsc_deploy.runtime.recorded import record

    found = open_dataset(data, with_train=False)
    query, gallery = found.labels()
    cameras = None
    if query.camera is not None and gallery.camera is not None:
        cameras = np.concatenate([query.camera, gallery.camera])
    labels = Labels(np.concatenate([query.identity, gallery.identity]), cameras)
    sources = (*found.query.sources, *found.gallery.sources)
    with closing(ImageBlocks(sources, preprocessing_of(embedder), keep=False)) as images:
        return record(embedder, images, out, labels=labels, device=device_name)


def _record_probe(embedder: "Embedder", out: Path, device_name: str | None) -> "Recording":
    from sfsc_deploy.probe import Probe
    from sfsc_deploy.runtime.recorded import record_probe

    file = _probe_of(embedder.name)
    return record_probe(embedder, Probe.load(file), out, device=device_name, file=file)


def _probe_of(subject: str) -> Path:
    from sfsc_deploy.artifact import read_sidecar, sidecar_path
    from sfsc_deploy.run_folder import PROBE, parse

    place, _ = parse(subject)
    if sidecar_path(place).exists():
        return place.with_name(read_sidecar(place).probe.file)
    # A CoreML package is a folder as well, but its probe lies beside it.
    return (place.parent if place.is_file() or place.suffix == ".mlpackage" else place) / PROBE
