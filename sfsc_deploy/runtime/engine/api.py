"""The part of TensorRT's Python interface that is used, as protocols: nothing else of it can be called.

`library.tensorrt` gives TensorRT typed by these, so that mypy refuses every name that isn't listed here. A test
compares each name, its parameters and its result with the real bindings 10.3, 10.13, 10.16 and 11.4. Enumerations are
used by name only: their numbers differ between versions. What the names mean is documented by NVIDIA:
https://docs.nvidia.com/deeplearning/tensorrt/latest/_static/python-api/
"""

# ruff: noqa: A002, D102 - the names are TensorRT's, and so is their documentation

from collections.abc import Sequence
from typing import ClassVar, Protocol

Shape = Sequence[int]
"""A tuple of lengths; TensorRT takes it for its `Dims`."""


class Dims(Protocol):
    """Lengths of a tensor, -1 where open."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> int: ...


class Severity(Protocol):
    """How bad a message is."""


class ILogger(Protocol):
    """Takes TensorRT's messages; to be derived from."""

    INTERNAL_ERROR: ClassVar[Severity]
    ERROR: ClassVar[Severity]

    def __init__(self) -> None: ...
    def log(self, severity: Severity, msg: str) -> None: ...


class NetworkDefinitionCreationFlag(Protocol):
    """What a network is created with."""

    STRONGLY_TYPED: ClassVar["NetworkDefinitionCreationFlag"]

    def __int__(self) -> int: ...


class BuilderFlag(Protocol):
    """What the builder may do."""

    TF32: ClassVar["BuilderFlag"]
    VERSION_COMPATIBLE: ClassVar["BuilderFlag"]


class MemoryPoolType(Protocol):
    """What memory is limited."""

    WORKSPACE: ClassVar["MemoryPoolType"]


class HardwareCompatibilityLevel(Protocol):
    """Where else than on GPUs of its own kind an engine is to run."""

    AMPERE_PLUS: ClassVar["HardwareCompatibilityLevel"]


class TensorIOMode(Protocol):
    """What a tensor is to an engine."""

    INPUT: ClassVar["TensorIOMode"]
    OUTPUT: ClassVar["TensorIOMode"]


class DataType(Protocol):
    """The type of a tensor's elements."""

    UINT8: ClassVar["DataType"]
    FLOAT: ClassVar["DataType"]


class IHostMemory(Protocol):
    """Bytes that TensorRT made."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


class ITimingCache(Protocol):
    """How fast layers were found to be."""

    def serialize(self) -> IHostMemory | None: ...


class IOptimizationProfile(Protocol):
    """The shapes that an engine is built for."""

    def set_shape(self, input: str, min: Shape, opt: Shape, max: Shape) -> None: ...


class INetworkDefinition(Protocol):
    """What is to be built; handed on, never looked into."""


class IBuilderConfig(Protocol):
    """How it is to be built."""

    hardware_compatibility_level: HardwareCompatibilityLevel

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None: ...
    def set_flag(self, flag: BuilderFlag) -> None: ...
    def clear_flag(self, flag: BuilderFlag) -> None: ...
    def add_optimization_profile(self, profile: IOptimizationProfile) -> int: ...
    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None: ...
    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool: ...
    def get_timing_cache(self) -> ITimingCache | None: ...


class Builder(Protocol):
    """Builds engines."""

    def __init__(self, logger: ILogger) -> None: ...
    def create_network(self, flags: int) -> INetworkDefinition: ...
    def create_builder_config(self) -> IBuilderConfig: ...
    def create_optimization_profile(self) -> IOptimizationProfile: ...
    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None: ...


class ParserError(Protocol):
    """Something that the parser didn't understand."""

    def desc(self) -> str: ...
    def node_name(self) -> str: ...
    def node_operator(self) -> str: ...


class OnnxParser(Protocol):
    """Reads ONNX into a network."""

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None: ...
    @property
    def num_errors(self) -> int: ...
    def parse(self, model: bytes) -> bool: ...
    def get_error(self, index: int) -> ParserError: ...


class IExecutionContext(Protocol):
    """Runs an engine."""

    def set_input_shape(self, name: str, shape: Shape) -> bool: ...
    def set_tensor_address(self, name: str, memory: int) -> bool: ...
    def execute_async_v3(self, stream_handle: int) -> bool: ...


class ICudaEngine(Protocol):
    """A built network."""

    @property
    def num_io_tensors(self) -> int: ...
    def get_tensor_name(self, index: int) -> str: ...
    def get_tensor_mode(self, name: str) -> TensorIOMode: ...
    def get_tensor_dtype(self, name: str) -> DataType: ...
    def get_tensor_shape(self, name: str) -> Dims: ...
    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]: ...
    def create_execution_context(self) -> IExecutionContext | None: ...


class Runtime(Protocol):
    """Reads engines."""

    engine_host_code_allowed: bool

    def __init__(self, logger: ILogger) -> None: ...
    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None: ...
