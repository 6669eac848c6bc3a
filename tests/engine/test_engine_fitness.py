"""Rules on facts: which engine may run where. Nothing runs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfsc_deploy.artifact import EngineDevice
from sfsc_deploy.runtime.engine.cuda import Gpu
from sfsc_deploy.runtime.engine.fitness import Host, why_not_built_here, why_not_hardware_compatible, why_not_here

ORIN = Host("10.3.0", Gpu("Orin", "8.7", integrated=True, cuda="12.6"))
L4 = Host("10.3.0", Gpu("NVIDIA L4", "8.9", integrated=False, cuda="12.8"))
T4 = Host("10.3.0", Gpu("Tesla T4", "7.5", integrated=False, cuda="12.8"))
VERSIONS = st.tuples(st.integers(10, 11), st.integers(0, 3), st.integers(0, 2))


def built_on(host: Host, **changed: Any) -> EngineDevice:
    facts = {"compute_capability": host.gpu.compute_capability, "tensorrt": host.tensorrt}
    return EngineDevice(name="a device", gpu=host.gpu.name, cuda=host.gpu.cuda, **facts | changed)


def with_tensorrt(host: Host, version: str) -> Host:
    return replace(host, tensorrt=version)


def test_an_engine_runs_where_it_was_built() -> None:
    assert why_not_here(ORIN, built_on(ORIN), (10, 3, 0, 30)) is None


def test_of_an_engine_without_facts_nothing_is_refused() -> None:
    assert why_not_here(ORIN, None, None) is None


@pytest.mark.parametrize("version", ["10.3.1", "10.13.3.9", "11.4.0.106", "10.2.0"])
def test_another_version_is_refused_by_sidecar_or_by_header(version: str) -> None:
    here = with_tensorrt(ORIN, version)
    expected = f"it was built with TensorRT 10.3.0, here is {version}."
    assert why_not_here(here, built_on(ORIN), None) == expected
    assert why_not_here(here, None, (10, 3, 0)) == expected


def test_the_header_is_believed_before_the_sidecar() -> None:
    assert why_not_here(ORIN, built_on(ORIN), (10, 13, 3, 9)) == (
        "it was built with TensorRT 10.13.3.9, here is 10.3.0."
    )


def test_another_compute_capability_is_refused() -> None:
    assert why_not_here(L4, built_on(ORIN), None) == (
        "it was built for compute capability 8.7, NVIDIA L4 here has 8.9."
    )


def test_both_are_told_at_once() -> None:
    why = why_not_here(with_tensorrt(L4, "11.4.0"), built_on(ORIN), None)
    assert why is not None
    assert "TensorRT 10.3.0" in why
    assert "compute capability 8.7" in why


@given(VERSIONS, VERSIONS)
def test_a_version_compatible_engine_runs_with_later_versions_only(
    built: tuple[int, ...], here: tuple[int, ...]
) -> None:
    device = built_on(ORIN, tensorrt=".".join(map(str, built)), version_compatible=True)
    refused = why_not_here(with_tensorrt(ORIN, ".".join(map(str, here))), device, built)
    assert (refused is None) is (here >= built)


def test_a_hardware_compatible_engine_runs_on_discrete_gpus_from_ampere_on() -> None:
    device = built_on(L4, hardware_compatible=True)
    newer = replace(L4, gpu=Gpu("NVIDIA H200", "9.0", integrated=False, cuda="13.0"))
    assert why_not_here(newer, device, None) is None
    for refused in (T4, ORIN):
        assert "built for compute capability 8.9" in str(why_not_here(refused, device, None))


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (ORIN, None),
        (with_tensorrt(ORIN, "11.4.0.106"), None),
        (with_tensorrt(ORIN, "12.1"), "it is to be built with TensorRT >=10.3,<12, here is 12.1."),
        (L4, "it is for a GPU of compute capability 8.7, NVIDIA L4 here has 8.9."),
    ],
)
def test_where_an_engine_can_be_built(host: Host, why: str | None) -> None:
    assert why_not_built_here(host, "8.7", ">=10.3,<12") == why


def test_both_reasons_not_to_build_are_told_at_once() -> None:
    why = why_not_built_here(with_tensorrt(T4, "9.2"), "8.7", ">=10.3,<12")
    assert why is not None
    assert "here is 9.2, and it is for a GPU of compute capability 8.7" in why


def test_where_a_hardware_compatible_engine_can_be_built() -> None:
    assert why_not_hardware_compatible(L4.gpu) is None
    assert "integrated" in str(why_not_hardware_compatible(ORIN.gpu))
    assert "from compute capability 8.0 on" in str(why_not_hardware_compatible(T4.gpu))
