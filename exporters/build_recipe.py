"""How an engine is built from its ONNX file on the device it is meant for. Needs neither torch nor TensorRT."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

RECIPE_SUFFIX = ".build.json"
"""Of the recipe, after the stem of the engine that it builds."""

Count = Annotated[int, Field(ge=1)]
Shape = tuple[Count, Count, Count, Count]
PlainName = Annotated[str, StringConstraints(pattern=r"^[^/\\:\x00]*[^/\\:\x00.][^/\\:\x00]*$", max_length=255)]
"""Of a file beside the recipe, without a folder."""


class InputShapes(BaseModel):
    """The shapes `[N, H, W, 3]` of `image` that an engine is built for: smallest, tuned for, largest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: Shape
    opt: Shape
    max: Shape

    @model_validator(mode="after")
    def _ascend(self) -> "InputShapes":
        if not self.min[0] <= self.opt[0] <= self.max[0] or len({self.min[1:], self.opt[1:], self.max[1:]}) > 1:
            raise ValueError("min, opt and max must ascend in N and be equal in H, W and colours")
        return self


class BuildRecipe(BaseModel):
    """Everything that decides what comes out of the build, so that it can be repeated and checked.

    Attributes:
        onnx: name of the ONNX file beside the recipe.
        onnx_sha256: of its bytes, hexadecimal.
        engine: name of the file to build beside them.
        precision: of the layers, already written in the ONNX file.
        strongly_typed: TensorRT keeps the types of the ONNX file.
        tf32: whether float32 products may be rounded to 10 bits of mantissa.
        image: shapes that the engine takes.
        compute_capability: of the GPU it is for.
        tensorrt: versions it is for.
        workspace_mb: memory in MiB that the builder may use for a layer's scratch space.
        command: what builds it, run where the recipe lies.
        trtexec: what builds it without this product, and without its sidecar.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    onnx: PlainName
    onnx_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    engine: PlainName
    precision: str
    strongly_typed: Literal[True] = True
    tf32: Literal[False] = False
    image: InputShapes
    compute_capability: str
    tensorrt: str
    workspace_mb: Count
    command: str
    trtexec: str


def recipe_of(artifact: Path) -> Path:
    """Where the recipe lies that builds an engine, or that builds one from an ONNX file."""
    return artifact.with_name(artifact.stem + RECIPE_SUFFIX)


def build_command(recipe: str) -> str:
    """Give the command that builds the engine of a recipe, run in its folder."""
    return shlex.join(["sfsc-deploy", "build", recipe])


def trtexec_command(onnx: str, engine: str, image: InputShapes, workspace_mb: int) -> str:
    """Give the command of NVIDIA's tool that builds the engine, run in the folder of the ONNX file.

    The options are those of trtexec 10.3 to 11. From 11 on networks are always strongly typed and the option is
    accepted without effect.
    """
    shapes = [
        f"--{name}Shapes=image:{'x'.join(map(str, shape))}"
        for name, shape in (("min", image.min), ("opt", image.opt), ("max", image.max))
    ]
    options = [f"--onnx={onnx}", f"--saveEngine={engine}", "--stronglyTyped", "--noTF32", *shapes]
    return shlex.join(["trtexec", *options, f"--memPoolSize=workspace:{workspace_mb}", "--skipInference"])
