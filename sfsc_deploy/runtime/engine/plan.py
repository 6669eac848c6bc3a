"""What the first bytes of an engine file tell without TensorRT.

As `trtexec --getPlanVersionOnly` reads them: a tag (0x74727466, little-endian), the version of the serialisation
(0), and from byte 24 on the four numbers of the TensorRT version that wrote it. Source: `printPlanVersion` in
samples/common/sampleEngines.cpp of https://github.com/NVIDIA/TensorRT (release 10.13). Of a file that begins in
another way nothing is concluded: later versions may write another header, and TensorRT itself refuses what is no plan.
"""

import struct
from pathlib import Path

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine.versions import Version

TAG = 0x74727466
_SERIALISATION = 0
_HEADER = struct.Struct("<II16x4B")


def plan_version(path: Path) -> Version | None:
    """The TensorRT version that wrote an engine; None where its first bytes don't tell.

    Raises:
        SfscError: it can't be read, or is too short to be an engine.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
    except OSError as error:
        raise SfscError(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
    if len(header) < _HEADER.size:
        raise SfscError(f"{path} is no engine: it ends after {len(header)} bytes.", "Copy or build it anew.")
    tag, serialisation, *version = _HEADER.unpack(header)
    return tuple(version) if (tag, serialisation) == (TAG, _SERIALISATION) else None
