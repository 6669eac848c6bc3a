import struct
from pathlib import Path

import pytest

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine.plan import plan_version


def header(tag: bytes = b"ftrt", serialisation: int = 0, version: tuple[int, ...] = (10, 3, 0, 30)) -> bytes:
    """As trtexec reads it: tag, version of the serialisation, 16 bytes of other things, version of TensorRT."""
    return tag + struct.pack("<I", serialisation) + bytes(range(16)) + bytes(version)


@pytest.mark.parametrize("version", [(10, 3, 0, 30), (10, 16, 1, 11), (11, 4, 0, 106)])
def test_the_version_stands_in_the_header(tmp_path: Path, version: tuple[int, ...]) -> None:
    engine = tmp_path / "a.engine"
    engine.write_bytes(header(version=version) + b"the rest")
    assert plan_version(engine) == version


@pytest.mark.parametrize("start", [header(tag=b"ptrt"), header(serialisation=1), b"\x08\x0a" * 20])
def test_of_another_header_nothing_is_concluded(tmp_path: Path, start: bytes) -> None:
    engine = tmp_path / "a.engine"
    engine.write_bytes(start)
    assert plan_version(engine) is None


@pytest.mark.parametrize("length", [0, 4, 27])
def test_a_file_that_ends_within_the_header_is_no_engine(tmp_path: Path, length: int) -> None:
    engine = tmp_path / "a.engine"
    engine.write_bytes(header()[:length])
    with pytest.raises(SfscError, match=rf"a\.engine is no engine: it ends after {length} bytes"):
        plan_version(engine)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match=r"absent\.engine can't be read"):
        plan_version(tmp_path / "absent.engine")
