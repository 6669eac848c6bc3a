"""From typed ONNX to a serialised engine ("plan"), with TensorRT's builder. Not run on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine import api
from sfsc_deploy.runtime.engine.contract import INPUT
from sfsc_deploy.runtime.engine.library import Messages, Tensorrt, enter

if TYPE_CHECKING:  # device kits hold this module, and no pydantic
    from exporters.build_recipe import BuildRecipe

_MIB = 1 << 20


@dataclass(frozen=True)
class Compatibility:
    """Where else than on its own device an engine is to run; each costs speed.

    Attributes:
        version: with later versions of TensorRT too.
        hardware: on other GPUs, from Ampere on, too.
    """

    version: bool = False
    hardware: bool = False


@dataclass(frozen=True)
class Plan:
    """What the builder gave.

    Attributes:
        engine: the bytes of the file.
        timing_cache: what the builder measured, to build faster next time; empty where it gave nothing.
        timings_used: whether what an earlier build measured could be used.
    """

    engine: bytes
    timing_cache: bytes
    timings_used: bool


def build_plan(
    trt: Tensorrt, onnx: bytes, recipe: BuildRecipe, compatibility: Compatibility, timing_cache: bytes
) -> Plan:
    """Build an engine: strongly typed, without TF32, for the shapes of the recipe.

    Args:
        trt: TensorRT.
        onnx: the typed model.
        recipe: shapes and workspace.
        compatibility: where else it is to run.
        timing_cache: of an earlier build, or empty; one that is damaged or doesn't fit this device is not used.

    Raises:
        SfscError: there is no usable GPU, or TensorRT can't parse or build the model; in its own words.
    """
    messages = Messages()
    logger = messages.logger(trt)
    builder = enter(trt.Builder, logger)
    network = builder.create_network(_strongly_typed(trt))
    parser = trt.OnnxParser(network, logger)  # it owns the weights, and must live until the engine is built
    if not parser.parse(onnx):
        raise _not_understood(trt, parser, recipe, messages)
    config = _configure(trt, builder, recipe, compatibility)
    used = _use_timing_cache(config, timing_cache)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise SfscError(
            f"TensorRT {trt.__version__} couldn't build {recipe.engine}: {messages}",
            "If memory is what lacks: end other programs, or export with less workspace_mb in the profile.",
        )
    return Plan(bytes(engine), _measured(config), used)


def _strongly_typed(trt: Tensorrt) -> int:
    """The flags of a network that keeps the model's types; from TensorRT 11 on all do, and the flag may go one day."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _not_understood(trt: Tensorrt, parser: api.OnnxParser, recipe: BuildRecipe, messages: Messages) -> SfscError:
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    told = [f"{error.node_operator()} `{error.node_name()}`: {error.desc()}" for error in errors] or [str(messages)]
    return SfscError(
        f"TensorRT {trt.__version__} can't parse {recipe.onnx}: {'; '.join(told)}",
        "Export it anew, or install a version of TensorRT that knows these operators.",
    )


def _configure(
    trt: Tensorrt, builder: api.Builder, recipe: BuildRecipe, compatibility: Compatibility
) -> api.IBuilderConfig:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, recipe.workspace_mb * _MIB)
    config.clear_flag(trt.BuilderFlag.TF32)
    if compatibility.version:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if compatibility.hardware:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    profile = builder.create_optimization_profile()
    profile.set_shape(INPUT, recipe.image.min, recipe.image.opt, recipe.image.max)
    if config.add_optimization_profile(profile) < 0:
        raise SfscError(
            f"TensorRT refuses the shapes {recipe.image.min}, {recipe.image.opt}, {recipe.image.max} of {recipe.onnx}.",
            "Export it anew with another [batch] table in the profile.",
        )
    return config


def _use_timing_cache(config: api.IBuilderConfig, stored: bytes) -> bool:
    """Attach the stored timings, or an empty cache where they are damaged, or of another device or version.

    Returns:
        Whether the stored ones are used.
    """
    if stored and _is_attached(config, stored):
        return True
    _is_attached(config, b"")
    return False


def _is_attached(config: api.IBuilderConfig, content: bytes) -> bool:
    try:
        cache = config.create_timing_cache(content)
        return cache is not None and config.set_timing_cache(cache, ignore_mismatch=False)
    except Exception:  # the bindings raise what they like; a build goes on without timings
        return False


def _measured(config: api.IBuilderConfig) -> bytes:
    cache = config.get_timing_cache()
    content = None if cache is None else cache.serialize()
    return b"" if content is None else bytes(content)
