"""The input and output that every CoreML artifact has."""

from typing import Any

from exporters.errors import ExportError
from exporters.request import ExportRequest

INPUT = "image"
OUTPUT = "embedding"


def check_contract(spec: Any, request: ExportRequest) -> None:
    """Check a package: an ML program from `image`, RGB of H x W, to `embedding`, float32 `[1, D]`.

    Args:
        spec: `coremltools.proto.Model_pb2.Model`.
        request: gives H, W and D.

    Raises:
        ExportError: what was found and what was expected.
    """
    expected = {
        "kind": "mlProgram",
        "input": [f"`{INPUT}` RGB image {request.height} x {request.width}"],
        "output": [f"`{OUTPUT}` FLOAT32 [1, {request.dim}]"],
    }
    found = {
        "kind": spec.WhichOneof("Type"),
        "input": [_text(feature) for feature in spec.description.input],
        "output": [_text(feature) for feature in spec.description.output],
    }
    for role, wanted in expected.items():
        if found[role] != wanted:
            raise ExportError(
                f"The converted program has {role} {found[role]}, expected {wanted}.",
                "Check the request's image size and dim against the model's.",
            )


def _text(feature: Any) -> str:
    kind = feature.type.WhichOneof("Type")
    value = getattr(feature.type, kind)
    if kind == "imageType":
        return f"`{feature.name}` {_name(value, 'colorSpace')} image {value.height} x {value.width}"
    if kind == "multiArrayType":
        return f"`{feature.name}` {_name(value, 'dataType')} {list(value.shape)}"
    return f"`{feature.name}` {kind}"


def _name(value: Any, field: str) -> str:
    """The name of an enumeration's value, as in the format's specification."""
    return str(value.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number[getattr(value, field)].name)
