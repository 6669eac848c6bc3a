"""Everything that the adapter uses of TensorRT and of the CUDA driver exists, in every version that it is for.

The lists in tests/engine/interfaces were written from the real bindings and headers. Where SFSC_TENSORRT_WHEELS names a
folder of wheels (tests/helpers/real_bindings.py tells which, and where from) the lists are made anew, and the adapter
is tried over the bindings themselves, as far as that goes without a GPU.
"""

import ast
import os
from pathlib import Path

import pytest

import sfsc_deploy
from interfaces import is_offered, read_list, real_cuda, real_tensorrt, used_cuda, used_tensorrt, without_aliases
from real_bindings import BINDINGS, HEADERS, Bindings, missing_tools, unpack_bindings, unpack_header

LISTS = Path(__file__).with_name("interfaces")
TENSORRT = sorted(LISTS.glob("tensorrt-*.txt"))
CUDA = sorted(LISTS.glob("cuda-*.txt"))

WITHOUT_A_GPU = """
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine.library import Messages, enter, tensorrt

trt = tensorrt()
messages = Messages()
logger = messages.logger(trt)
logger.log(trt.ILogger.ERROR, "an error ")
logger.log(trt.ILogger.WARNING, "a warning")
assert list(messages) == ["an error"], messages
for kind in (trt.Builder, trt.Runtime):
    try:
        enter(kind, logger)
    except SfscError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def wheels() -> Path:
    folder = os.environ.get("SFSC_TENSORRT_WHEELS")
    if not folder:
        pytest.skip("SFSC_TENSORRT_WHEELS names no folder of wheels: see tests/helpers/real_bindings.py")
    if missing_tools():
        pytest.skip(f"needs {', '.join(missing_tools())} to import bindings without libraries")
    return Path(folder)


@pytest.fixture(scope="module")
def all_bindings(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Bindings]:
    found = sorted(wheels.glob(BINDINGS))
    assert found, f"no {BINDINGS} in {wheels}"
    return [unpack_bindings(wheel, tmp_path_factory.mktemp("bindings") / "unpacked") for wheel in found]


def test_there_is_a_list_of_each_version() -> None:
    assert [file.stem for file in TENSORRT] == ["tensorrt-10.13", "tensorrt-10.16", "tensorrt-10.3", "tensorrt-11.4"]
    assert [file.stem for file in CUDA] == ["cuda-12.6", "cuda-13.5"]


@pytest.mark.parametrize("real", TENSORRT, ids=lambda file: file.stem)
def test_all_that_is_used_of_tensorrt_exists(real: Path) -> None:
    offered = read_list(real)
    used = used_tensorrt()
    assert "Builder.build_serialized_network(network, config) -> IHostMemory" in used
    assert [line for line in used if not is_offered(line, offered)] == []


@pytest.mark.parametrize("real", CUDA, ids=lambda file: file.stem)
def test_all_that_is_used_of_the_driver_exists(real: Path) -> None:
    offered = {without_aliases(line).replace("void * *", "void **") for line in read_list(real)}
    assert "cuStreamSynchronize(void *)" in offered
    assert [line for line in used_cuda() if line not in offered] == []


@pytest.mark.parametrize(
    ("used", "offered"),
    [
        ("Builder.create_network(flags) -> INetworkDefinition", True),
        ("Builder.create_network() -> INetworkDefinition", True),
        ("Builder.create_network(flag) -> INetworkDefinition", False),
        ("Builder.create_network(flags, more) -> INetworkDefinition", False),
        ("Builder.create_network(flags) -> IHostMemory", False),
        ("Builder.build_serialized_network(network) -> IHostMemory", False),
        ("Builder.build_engine(network, config) -> ICudaEngine", False),
        ("IExecutionContext.execute_async_v2(bindings, stream_handle) -> bool", False),
        ("OnnxParser.parse(model) -> bool", True),
        ("BuilderFlag.TF32", True),
        ("BuilderFlag.FP4", False),
        ("ICudaEngine.num_io_tensors: int", True),
        ("ICudaEngine.num_io_tensors: str", False),
        ("Runtime()", False),
    ],
)
def test_what_does_not_exist_is_noticed(used: str, offered: bool) -> None:
    assert is_offered(used, read_list(LISTS / "tensorrt-10.3.txt")) is offered


def test_what_11_removed_is_in_the_list_of_10_only() -> None:
    old, new = (read_list(LISTS / f"tensorrt-{version}.txt") for version in ("10.3", "11.4"))
    for removed in ("BuilderFlag.FP16", "BuilderFlag.INT8", "NetworkDefinitionCreationFlag.EXPLICIT_BATCH"):
        assert removed in old
        assert removed not in new


def test_tensorrt_is_imported_in_one_place_only() -> None:
    """There it is typed by the declared protocols, so that mypy refuses every name that isn't declared."""
    sources = {path: ast.parse(path.read_text(encoding="utf-8")) for path in _sources()}
    imports = {path.name for path, tree in sources.items() for node in ast.walk(tree) if _imports_tensorrt(node)}
    assert imports == {"library.py"}


def test_the_lists_are_those_of_the_wheels(all_bindings: list[Bindings], wheels: Path, tmp_path: Path) -> None:
    for bindings in all_bindings:
        name = ".".join(bindings.version.split(".")[:2])
        assert read_list(LISTS / f"tensorrt-{name}.txt") == real_tensorrt(bindings)
    for wheel in wheels.glob(HEADERS):
        version, header = unpack_header(wheel, tmp_path / wheel.stem)
        assert read_list(LISTS / f"cuda-{'.'.join(version.split('.')[:2])}.txt") == real_cuda(header)


def test_over_the_real_bindings_the_adapter_says_that_there_is_no_gpu(all_bindings: list[Bindings]) -> None:
    for bindings in all_bindings:
        answer = bindings.run(WITHOUT_A_GPU)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.count("TensorRT finds no GPU that it can use") == 2


def _sources() -> list[Path]:
    return sorted(Path(sfsc_deploy.__file__).parent.rglob("*.py"))


def _imports_tensorrt(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] == "tensorrt" for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and (node.module or "").partition(".")[0] == "tensorrt"
    return isinstance(node, ast.Call) and any(
        isinstance(argument, ast.Constant)
        and argument.value == "tensorrt"
        and "import_module" in ast.unparse(node.func)
        for argument in node.args
    )
