"""The input and output that every CoreML artifact has."""

from typing import Any

from exporters.errors import ExportError
from exporters.request import ExportRequest

INPUT = "image"
OUTPUT = "embedding"


def check_contract(spec: Any, request: ExportRequest) -> None:
    """Check a package before it is sealed, see `contract_problems`.

    Raises:
        ExportError: what was found and what was expected.
    """
    problems = contract_problems(spec, request.height, request.width, request.dim)
    if problems:
        raise ExportError(
            f"The converted program breaks the contract. {' '.join(problems)}",
            "Check the request's image size and dim against the model's.",
        )


def contract_problems(spec: Any, height: int, width: int, dim: int) -> list[str]:
    """Find what is wrong with a package: it must be an ML program from one RGB image to float32 `[1, D]`.

    Args:
        spec: `coremltools.proto.Model_pb2.Model`.
        height: H of `image` in pixels.
        width: W of `image` in pixels.
        dim: D of `embedding`.

    Returns:
        A sentence each.
    """
    declared = {
        "kind": [str(spec.WhichOneof("Type"))],
        "input": [_text(feature) for feature in spec.description.input],
        "output": [_text(feature) for feature in spec.description.output],
    }
    expected = {
        "kind": "mlProgram",
        "input": f"`{INPUT}` RGB image {height} x {width}",
        "output": f"`{OUTPUT}` FLOAT32 [1, {dim}]",
    }
    return [
        f"Its {role} is {', '.join(found) or 'missing'}, expected {expected[role]}."
        for role, found in declared.items()
        if found != [expected[role]]
    ]


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
