"""Many artifacts of one small run: sound ones in every width, format and precision, and each fault made in them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import faults
from fleet import IDENTITIES, WIDTHS, portraits
from profiles import load as load_profile
from sfsc_deploy.artifact import read_sidecar, sidecar_path, write_sidecar
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.exporting.run import export
from sfsc_deploy.formats import written_suffix
from sfsc_deploy.probe import Probe
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.recorded import record_probe
from sfsc_deploy.tensor_file import read_tensors, write_tensors

PRECISIONS = {
    "onnx": ("float32", "float16", "int8"),
    "ort": ("float32",),
    "coreml": ("float32", "float16", "int8"),
}
PROFILE_OF = {"onnx": "server-cpu", "ort": "server-cpu", "coreml": "iphone"}
PARTNER = "onnx-float32-1.onnx"
WIDTH = 0.5
"""Of the artifacts that faults are made in."""

Make = Callable[[Path], Path]
"""Changes the artifact at a path, beside which lie sidecar, probe and others; returns what is to be verified."""


@dataclass(frozen=True)
class Specimen:
    """One artifact, sound or faulty."""

    what: str
    format: str
    precision: str
    width: float
    make: Make

    @property
    def file(self) -> str:
        """Of the sound artifact."""
        return f"{self.format}-{self.precision}-{self.width:g}{written_suffix(self.format)}"


def fill(run: Path, folder: Path, formats: tuple[str, ...]) -> None:
    """Export a run in all widths and precisions of these formats."""
    calibration = folder.with_name("calibration")
    calibration.mkdir()
    for number, source in enumerate(portraits(range(IDENTITIES), range(30, 33)).sources):
        assert isinstance(source, bytes)
        (calibration / f"{number:03}.png").write_bytes(source)
    for kind in formats:
        for precision, width in product(PRECISIONS[kind], WIDTHS):
            allowed = load_profile(PROFILE_OF[kind]).model_dump() | {"name": f"{kind}-{precision}-{width:g}"}
            profile = type(load_profile("iphone")).model_validate(
                allowed | {"format": kind, "width": width, "precision": precision}
            )
            export(ExportTask(run, (profile,), folder, width=width, calibration=calibration))


def sound(formats: tuple[str, ...]) -> Iterator[Specimen]:
    """As they were exported, and what a device recorded of them."""
    for kind in formats:
        for precision, width in product(PRECISIONS[kind], WIDTHS):
            if (kind, precision, width) != ("onnx", "float32", 1.0):  # that is the partner
                yield Specimen("as exported", kind, precision, width, lambda path: path)
            yield Specimen("recorded on a device", kind, precision, width, recorded)


def faulty(formats: tuple[str, ...]) -> Iterator[Specimen]:
    """Each fault in each format and precision in which it can be made."""
    for precision, (what, fault) in product(PRECISIONS["onnx"], IN_THE_GRAPH.items()):
        if precision != "int8" or fault is not IN_THE_GRAPH["a layer scaled by 1.02"]:  # within what int8 may do
            yield Specimen(what, "onnx", precision, WIDTH, lambda path, fault=fault: faults.operate(path, fault))
    for kind in formats:
        for precision, (what, make) in product(PRECISIONS[kind], IN_THE_FILES.items()):
            yield Specimen(what, kind, precision, WIDTH, make)
    for what, change in IN_A_RECORDING.items():
        yield Specimen(what, "onnx", "float16", WIDTH, lambda path, change=change: rerecorded(path, change))


IN_THE_GRAPH: dict[str, faults.Fault] = {
    "a layer scaled by 1.02": faults.scaled_layer(1.02),
    "pixels normalised twice": faults.normalised_twice,
    "pixels not normalised": faults.not_normalised_before,
    "BGR for RGB": faults.blue_for_red,
    "images upside down": faults.upside_down,
    "embedding not normalised": faults.embedding_not_normalised,
    "embedding of norm 0.5": faults.embedding_halved,
    "constant embedding": faults.constant_embedding,
    "NaN": faults.not_a_number,
    "batch fixed to 1": faults.batch_fixed(1),
    "batch fixed to 4": faults.batch_fixed(4),
    "batch fixed inside": faults.batch_fixed_inside(1),
    "rows depend on the batch": faults.mean_of_the_batch,
}


def recorded(path: Path) -> Path:
    """What a device would send back of an artifact."""
    target = path.with_name("recorded.safetensors")
    with load(path) as embedder:
        record_probe(embedder, Probe.load(path.with_name("probe.safetensors")), target, device="a device")
    return target


def cut_short(path: Path) -> Path:
    """Half of its largest file."""
    faults.truncate(_largest(path))
    return path


def one_byte(path: Path) -> Path:
    """A single byte of its largest file turned over."""
    file = _largest(path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x40
    file.write_bytes(content)
    return path


def of_another_width(path: Path) -> Path:
    """The artifact of the narrowest under the sidecar of another one, whose hashes were adapted."""
    other = path.with_name(path.name.replace(f"-{WIDTH:g}.", f"-{min(WIDTHS):g}."))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    other.rename(path)
    return faults.seal(path)


def without_sidecar(path: Path) -> Path:
    """Its sidecar is another file's."""
    shutil.copy(sidecar_path(path.with_name(PARTNER)), sidecar_path(path))
    return path


def of_another_precision(path: Path) -> Path:
    """Its sidecar claims a precision that it doesn't have."""
    sidecar = read_sidecar(path)
    claimed = "float16" if sidecar.precision == "float32" else "float32"
    write_sidecar(path, sidecar.model_copy(update={"precision": claimed, "calibration": None}))
    return path


IN_THE_FILES: dict[str, Make] = {
    "file cut short": cut_short,
    "one byte turned over": one_byte,
    "the sub-model of another width": of_another_width,
    "the sidecar of another artifact": without_sidecar,
    "another precision claimed": of_another_precision,
}


def rerecorded(path: Path, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Path:
    """A recording whose rows were changed."""
    target = recorded(path)
    stored = read_tensors(target)
    ((key, header),) = stored.metadata.items()
    arrays = dict(stored.arrays)
    write_tensors(target, arrays | {"embedding": change(arrays["embedding"].copy())}, key, header)
    return target


def _one_row(value: float) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    def change(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows[3] = value
        return rows

    return change


IN_A_RECORDING: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "recorded rows shuffled": lambda rows: np.roll(rows, 1, axis=0),
    "recorded rows of norm 1.01": lambda rows: (1.01 * rows).astype(np.float32),
    "a recorded row of NaN": _one_row(np.nan),
    "a recorded row of zeros": _one_row(0),
    "recorded signs turned over": lambda rows: -rows,
    "recorded dimensions exchanged": lambda rows: rows[:, ::-1].copy(),
    "recorded in another type": lambda rows: rows.astype(np.float16),  # type: ignore[return-value]
}


def _largest(path: Path) -> Path:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return max(files, key=lambda file: file.stat().st_size)
