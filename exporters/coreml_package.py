"""The parts of a CoreML package, written so that equal programs give equal bytes."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODEL = Path("Data", "com.apple.CoreML", "model.mlmodel")
MANIFEST = Path("Manifest.json")

_DATE = "com.github.apple.coremltools.conversion_date"
_DEBUGGING = Path("executorch_debug_handle_mapping.json")


def seal(package: Path, spec: Any, metadata: Mapping[str, str]) -> None:
    """Write `spec` with `metadata` into the package that it was converted to, less what differs from day to day.

    Args:
        package: folder that coremltools wrote.
        spec: `coremltools.proto.Model_pb2.Model`; changed.
        metadata: text by key, into the user-defined metadata.

    Raises:
        OSError: the package can't be written.
    """
    stored = spec.description.metadata.userDefined
    stored.pop(_DATE, None)
    stored.update(metadata)
    # coremltools leaves a file that its owner alone may read.
    (package / MODEL).unlink()
    (package / MODEL).write_bytes(spec.SerializeToString(deterministic=True))
    (package / _DEBUGGING).unlink(missing_ok=True)
    _name_items_by_path(package / MANIFEST)


def _name_items_by_path(manifest: Path) -> None:
    """Replace the random identifiers of the manifest's items by ones that follow from their paths."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    items = content["itemInfoEntries"]
    names = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])) for old, item in items.items()}
    content["itemInfoEntries"] = {names[old]: item for old, item in items.items()}
    content["rootModelIdentifier"] = names[content["rootModelIdentifier"]]
    manifest.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n", encoding="utf-8")
