"""What a CoreML package says of itself, read without running it."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

from exporters.quiet_coreml import load_coremltools
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.coreml_claims import refuse_claims, refuse_outside

_REMEDY = "Copy the whole folder again, or export it anew: `sfsc-deploy export --profile ...`."
_REASON = 240  # characters of a message of coremltools, which can go on for pages


@dataclass(frozen=True, eq=False)
class CoremlPackage:
    """A saved ML program.

    Attributes:
        path: the folder.
        spec: `coremltools.proto.Model_pb2.Model`, without weights.
        weights: folder of the weights; empty where the program has none of its own.
    """

    path: Path
    spec: Any
    weights: str

    @property
    def metadata(self) -> dict[str, str]:
        """The user-defined metadata."""
        return dict(self.spec.description.metadata.userDefined)


def read_package(path: Path) -> CoremlPackage:
    """Read the package at `path`.

    Raises:
        SfscError: absent, damaged, or not an ML program.
        ModuleNotFoundError: coremltools isn't installed.
    """
    if not path.is_dir():
        what = "is a file, but a CoreML package is a folder" if path.exists() else "does not exist"
        raise SfscError(f"{path} {what}.", _REMEDY)
    tools = load_coremltools()
    try:
        refuse_outside(path)
        model = tools.models.MLModel(str(path), skip_model_load=True)
    except SfscError:
        raise
    except Exception as error:  # coremltools raises errors of JSON, protobuf and its own C++ parts
        raise SfscError(f"{path} cannot be read as a CoreML package: {reason(error)}", _REMEDY) from error
    spec = model.get_spec()
    if spec.WhichOneof("Type") != "mlProgram":
        raise SfscError(f"{path} is a CoreML package, but holds no ML program.", _REMEDY)
    refuse_claims(path, spec)
    return CoremlPackage(path, spec, model.weights_dir or "")


def reason(error: Exception) -> str:
    """Its message, on one line and not too long."""
    return shorten(str(error) or type(error).__name__, _REASON)
