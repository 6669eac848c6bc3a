"""One file with all that a device needs to finish an artifact there."""

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sfsc_deploy.files import replacing

SUFFIX = ".kit.zip"
README = "README.txt"
_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # the first that the format knows: equal files make equal kits


def write_kit(target: Path, files: Iterable[Path], readme: str) -> Path:
    """Pack files, without their folders, and a README, and return where they are.

    Args:
        target: path without suffix.
        files: what the device needs.
        readme: what is to be done with them there.
    """
    kit = target.with_name(target.name + SUFFIX)
    with replacing(kit) as beside, ZipFile(beside, "w") as archive:
        archive.writestr(_entry(README), readme)
        for file in files:
            archive.writestr(_entry(file.name), file.read_bytes())
    return kit


def engine_readme(name: str) -> str:
    """The three steps from a kit to a verified engine.

    Args:
        name: of the profile, which all files are named after.
    """
    return (
        f"1. Here, on the device:   sfsc-deploy build {name}.build.json\n"
        f"2. Then, here too:        sfsc-deploy embed {name}.engine --out {name}.safetensors\n"
        f"3. Copy that file back, and beside the other artifacts: sfsc-deploy verify-compat ... {name}.safetensors\n"
    )


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _SAME_TIME)
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
