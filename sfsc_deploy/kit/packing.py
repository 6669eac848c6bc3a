"""Writes a kit: artifacts, their probe, a manifest with the hash of every file, and what runs them on the device."""

import io
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import sfsc_deploy
from exporters.build_recipe import build_command
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing, sha256_of
from sfsc_deploy.formats import ARTIFACT_FORMATS
from sfsc_deploy.kit.contents import Content
from sfsc_deploy.kit.names import README, RUNNER, files_of, recordings_of
from sfsc_deploy.kit.runner.manifest import MANIFEST

SUFFIX = ".kit.zip"

MODULES = (
    "__init__.py",
    "device_name.py",
    "errors.py",
    "extras.py",
    "files.py",
    "data/decoding.py",
    "kit/runner/__init__.py",
    "kit/runner/building.py",
    "kit/runner/engine_file.py",
    "kit/runner/main.py",
    "kit/runner/manifest.py",
    "kit/runner/missing.py",
    "kit/runner/onnx_file.py",
    "kit/runner/package.py",
    "kit/runner/probe.py",
    "kit/runner/recording.py",
    "kit/runner/running.py",
    "kit/runner/start.py",
    "kit/runner/tensors.py",
    "runtime/engine/__init__.py",
    "runtime/engine/api.py",
    "runtime/engine/build.py",
    "runtime/engine/contract.py",
    "runtime/engine/cuda.py",
    "runtime/engine/device.py",
    "runtime/engine/fitness.py",
    "runtime/engine/library.py",
    "runtime/engine/plan.py",
    "runtime/engine/session.py",
    "runtime/engine/timings.py",
    "runtime/engine/versions.py",
)
"""Of this package, what the runner consists of: nothing but the standard library, numpy and a runtime is imported."""
EMPTY = ("data/__init__.py", "kit/__init__.py", "runtime/__init__.py")
"""Packages whose own `__init__` would import more than a device has."""
_START = """import sys

if sys.version_info < (3, 8):
    here = "%d.%d" % sys.version_info[:2]
    sys.stderr.write("Error: Python 3.8 or newer is needed, this is %s: run the kit with a newer python3.\\n" % here)
    sys.exit(2)

from pathlib import Path

from sfsc_deploy.kit.runner.start import start

sys.exit(start(Path(__file__).resolve().parent.parent))
"""
"""Its first lines are read by any Python, what they import by 3.8 or newer alone."""
_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # the first that the format knows: equal files make equal kits


def pack(contents: Sequence[Content], target: Path) -> Path:
    """Write a kit to `target`, which is replaced.

    Args:
        contents: at least one artifact; all with the same probe.
        target: path of the archive.

    Raises:
        SfscError: the artifacts have different probes, or names that are one (see `names.files_of`); or `target` can't
            be written.
    """
    files = files_of(contents)
    manifest = _manifest(contents, {name: sha256_of(path) for name, path in files.items()})
    with replacing(target) as beside, ZipFile(beside, "w") as archive:
        for name, text in ((README, readme(contents)), (MANIFEST, manifest)):
            archive.writestr(_entry(name), text)
        archive.writestr(_entry(RUNNER), runner())
        for name, path in files.items():
            archive.writestr(_entry(name), path.read_bytes())
    return target


def runner() -> bytes:
    """What runs on the device: a file that Python takes like a script."""
    root = Path(sfsc_deploy.__file__).parent
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr(_entry("__main__.py"), _START)
        for name in EMPTY:
            archive.writestr(_entry(f"sfsc_deploy/{name}"), "")
        for name in MODULES:
            archive.writestr(_entry(f"sfsc_deploy/{name}"), (root / name).read_bytes())
    return packed.getvalue()


def readme(contents: Sequence[Content]) -> str:
    """The steps from a kit to a verified device."""
    recorded = " ".join(recordings_of(contents))
    needs = ", ".join(sorted({_NEEDS[content.kind] for content in contents}))
    steps = (
        f"1. Here, on the device:  python3 {RUNNER}\n"
        f"   It needs Python 3.8, numpy, {needs}; and Pillow, to check how images are decoded here.\n"
        f"2. Copy back what it recorded, beside the artifacts and their probe: {recorded}\n"
        f"3. There:  sfsc-deploy verify-compat ... {recorded}\n"
    )
    recipes = [content.recipe for content in contents if content.recipe]
    if recipes:
        command = build_command(recipes[0])
        steps += f"\nWhere sfsc-deploy is installed here, it builds an engine too, in this folder: {command}\n"
    return steps + "".join(f"\n{sentence}\n" for content in contents for sentence in content.unknown)


_NEEDS: Mapping[str, str] = {known.kind: known.software for known in ARTIFACT_FORMATS.values()}


def _manifest(contents: Sequence[Content], hashes: Mapping[str, str]) -> str:
    probes = {content.probe.name for content in contents}
    if len(probes) != 1:
        raise SfscError(f"The artifacts have different probes: {', '.join(sorted(probes))}.", "Make a kit for each.")
    added = {RUNNER: sha256(runner()).hexdigest(), README: sha256(readme(contents).encode()).hexdigest()}
    document = {
        "schema_version": 1,
        "sfsc-deploy": sfsc_deploy.__version__,
        "probe": probes.pop(),
        "artifacts": [
            {
                "file": each.artifact.name,
                "kind": each.kind,
                "sidecar": each.sidecar,
                "recipe": each.recipe,
                "recording": recording,
            }
            for each, recording in zip(contents, recordings_of(contents), strict=True)
        ],
        "files": dict(sorted({**hashes, **added}.items())),
    }
    return json.dumps(document, indent=2) + "\n"


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _SAME_TIME)
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
