"""A CSV file that lists the images: columns path, identity, split, and camera where it is known.

Paths are relative to the file's folder, whatever other folders lie there. Other columns are passed over.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sfsc_deploy.data.dataset import Split
from sfsc_deploy.data.layouts.layout import Layout, Splits
from sfsc_deploy.data.layouts.listed_paths import check_listed, leads_out
from sfsc_deploy.errors import SfscError

MANIFEST = "manifest.csv"
NEEDED = ("path", "identity", "split")
CAMERA = "camera"

_CAMERA = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class _Row:
    path: Path
    identity: str
    split: str
    camera: int | None


def _matches(root: Path) -> bool:
    return _file(root).is_file()


def _file(root: Path) -> Path:
    return root if root.suffix.lower() == ".csv" else root / MANIFEST


def _read(root: Path) -> Splits:
    file = _file(root)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(_rows(file, csv.DictReader(lines)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SfscError(f"{file} is not a CSV file: {error}.", "Save it as CSV in UTF-8.") from None
    check_listed(str(file), [row.path for row in rows], file.parent)
    known = all(row.camera is not None for row in rows)
    return Splits(*(_split([row for row in rows if row.split == name], known) for name in Splits._fields))


def _rows(file: Path, reader: "csv.DictReader[str]") -> Iterator[_Row]:
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise SfscError(
            f"{file} has no column {' and no column '.join(missing)}; its columns are "
            f"{', '.join(reader.fieldnames or ()) or 'none'}.",
            f"Its first line must name {', '.join(NEEDED)}, and {CAMERA} where it is known.",
        )
    for cells in reader:
        yield _row(file, reader.line_num, cells)


def _row(file: Path, line: int, cells: dict[str, str | None]) -> _Row:
    path, identity, split = ((cells[name] or "").strip() for name in NEEDED)
    camera = (cells.get(CAMERA) or "").strip()
    if not path or not identity:
        raise _wrong(file, line, "lacks a path or an identity", "Fill in both.")
    if split not in Splits._fields:
        raise _wrong(file, line, f"has split {split!r}", f"It must be one of {', '.join(Splits._fields)}.")
    if camera and not _CAMERA.fullmatch(camera):
        raise _wrong(
            file, line, f"has camera {camera!r}", "It must be a whole number, 0 or more, of at most nine digits."
        )
    if leads_out(path):
        raise _wrong(file, line, f"has path {path}, which leads out of {file.parent}", "Give a path inside of it.")
    return _Row(file.parent / path, identity, split, int(camera) if camera else None)


def _wrong(file: Path, line: int, what: str, remedy: str) -> SfscError:
    return SfscError(f"{file}, line {line}, {what}.", remedy)


def _split(rows: list[_Row], has_cameras: bool) -> Split:
    return Split(
        sources=tuple(row.path for row in rows),
        identity=tuple(row.identity for row in rows),
        camera=tuple(row.camera for row in rows if row.camera is not None) if has_cameras else None,
    )


CSV_MANIFEST = Layout(
    name="CSV manifest",
    expected=f"{MANIFEST} in the folder, or any .csv file: columns {', '.join(NEEDED)} (train, query or gallery), "
    f"and {CAMERA} where it is known",
    matches=_matches,
    read=_read,
)
