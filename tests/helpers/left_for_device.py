"""What an export leaves for a device, and the facts of devices. There is no engine: that takes a GPU."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from exporters.build_recipe import BuildRecipe, InputShapes, build_command, trtexec_command
from samples import sample_sidecar
from sfsc_deploy.artifact import Build, write_sidecar
from sfsc_deploy.runtime.engine.cuda import Gpu
from tiny_onnx import HEIGHT, WIDTH, write_tiny_onnx

ORIN = Gpu("Orin", "8.7", integrated=True, cuda="12.6")
L4 = Gpu("NVIDIA L4", "8.9", integrated=False, cuda="12.8")


@dataclass(frozen=True)
class Left:
    """What an export leaves for a device."""

    recipe: Path
    onnx: Path
    engine: Path

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.recipe.parent.iterdir()}

    def write(self, recipe: BuildRecipe) -> None:
        self.recipe.write_text(recipe.model_dump_json(), encoding="utf-8")

    def read(self) -> BuildRecipe:
        return BuildRecipe.model_validate_json(self.recipe.read_text(encoding="utf-8"))


def leave(folder: Path) -> Left:
    """Leave a tiny model, its recipe, and the sidecars of both the model and the engine that is yet to be built."""
    files = Left(folder / "jetson.build.json", write_tiny_onnx(folder / "jetson.onnx"), folder / "jetson.engine")
    smallest, common, largest = ((n, HEIGHT, WIDTH, 3) for n in (1, 4, 16))
    shapes = InputShapes(min=smallest, opt=common, max=largest)
    files.write(
        BuildRecipe(
            onnx=files.onnx.name,
            onnx_sha256=sha256(files.onnx.read_bytes()).hexdigest(),
            engine=files.engine.name,
            precision="float32",
            image=shapes,
            compute_capability="8.7",
            tensorrt=">=10.3,<12",
            workspace_mb=64,
            command=build_command(files.recipe.name),
            trtexec=trtexec_command(files.onnx.name, files.engine.name, shapes, 64),
        )
    )
    unbuilt = Build(status="to be built on the device", command=build_command(files.recipe.name))
    sidecar = sample_sidecar(files.onnx, format="tensorrt", build=unbuilt)
    for artifact in (files.onnx, files.engine):
        write_sidecar(artifact, sidecar)
    return files
