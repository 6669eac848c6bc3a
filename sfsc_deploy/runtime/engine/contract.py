"""What every engine of ours takes and gives, read from the engine itself. Not run on a GPU."""

from dataclasses import dataclass

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine import api
from sfsc_deploy.runtime.engine.library import Tensorrt

INPUT = "image"
OUTPUT = "embedding"
_PROFILE = 0  # the only one that is built


@dataclass(frozen=True)
class Contract:
    """`image` uint8 [N, H, W, 3] to `embedding` float32 [N, D].

    Attributes:
        height: H.
        width: W.
        dim: D.
        smallest: fewest images at once.
        largest: most images at once.
    """

    height: int
    width: int
    dim: int
    smallest: int
    largest: int


def read_contract(trt: Tensorrt, engine: api.ICudaEngine, name: str) -> Contract:
    """Read names, types and shapes of an engine.

    Raises:
        SfscError: it takes or gives something else.
    """
    names = {engine.get_tensor_name(index) for index in range(engine.num_io_tensors)}
    if names != {INPUT, OUTPUT} or not _has_types(trt, engine):
        raise _foreign(name, f"its tensors are {', '.join(sorted(names))}")
    image, embedding = _lengths(engine.get_tensor_shape(INPUT)), _lengths(engine.get_tensor_shape(OUTPUT))
    if len(image) != 4 or image[3] != 3 or len(embedding) != 2 or min(*image[1:], embedding[1]) < 1:
        raise _foreign(name, f"it takes {image} and gives {embedding}")
    smallest, _, largest = engine.get_tensor_profile_shape(INPUT, _PROFILE)
    return Contract(image[1], image[2], embedding[1], smallest[0], largest[0])


def _has_types(trt: Tensorrt, engine: api.ICudaEngine) -> bool:
    found = [(engine.get_tensor_mode(tensor), engine.get_tensor_dtype(tensor)) for tensor in (INPUT, OUTPUT)]
    modes, types = trt.TensorIOMode, trt.DataType
    return found == [(modes.INPUT, types.UINT8), (modes.OUTPUT, types.FLOAT)]


def _lengths(shape: api.Dims) -> list[int]:
    return [shape[index] for index in range(len(shape))]


def _foreign(name: str, found: str) -> SfscError:
    return SfscError(
        f"{name} is an engine, but not of an artifact of ours: {found}, expected `{INPUT}` uint8 [N, H, W, 3] and "
        f"`{OUTPUT}` float32 [N, D].",
        "Build it from what `sfsc-deploy export` wrote: sfsc-deploy build.",
    )
