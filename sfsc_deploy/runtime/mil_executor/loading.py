"""A MIL program out of a saved package."""

from typing import Any

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.coreml_package import CoremlPackage, reason


def load_program(package: CoremlPackage) -> Any:  # coremltools.converters.mil.Program
    """Read the program with its weights.

    coremltools doesn't document the function that does it, so its version is pinned.

    Raises:
        SfscError: the program or its weights can't be read, or they don't fit together.
    """
    from coremltools.converters.mil.frontend.milproto.load import load

    spec = package.spec
    try:
        return load(spec, specification_version=spec.specificationVersion, file_weights_dir=package.weights)
    except Exception as error:  # Python and C++ parts raise whatever comes
        raise SfscError(
            f"{package.path} can't be read: its program or its weights are damaged: {reason(error)}",
            "Copy the whole folder again, or export it anew.",
        ) from error
