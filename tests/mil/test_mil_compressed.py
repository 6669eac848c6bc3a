"""Compressed weights, against their definitions written out number by number."""

import itertools

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="coremltools builds MIL programs; it has no wheel for this machine")

from mil_programs import Array, executed, numbers

RNG = np.random.default_rng(0)
INT8 = RNG.integers(-128, 128, (4, 6), dtype=np.int8)


def decompressed(name: str, opset: str = "iOS16", **arguments: object) -> Array:
    """What the executor takes for the dense tensor."""
    from coremltools.converters.mil.mil import Builder

    def build(x: object) -> object:
        return Builder.add(x=x, y=getattr(Builder, name)(**arguments))

    (found,) = executed(build, np.zeros(1, np.float32), opset=opset)
    return found


def test_integers_with_a_scale_for_each_channel() -> None:
    scale, zero = numbers(6, low=0.1), RNG.integers(-9, 9, 6).astype(np.int8)
    found = decompressed("constexpr_affine_dequantize", quantized_data=INT8, zero_point=zero, scale=scale, axis=1)
    for row, column in np.ndindex(4, 6):
        expected = scale[column] * (int(INT8[row, column]) - int(zero[column]))
        assert found[row, column] == pytest.approx(expected, rel=1e-6)


def test_integers_with_one_scale() -> None:
    found = decompressed(
        "constexpr_affine_dequantize",
        quantized_data=INT8,
        zero_point=np.int8(3),
        scale=np.float32(0.5),
        axis=0,
    )
    np.testing.assert_array_equal(found, 0.5 * (INT8.astype(np.float32) - 3))


@pytest.mark.parametrize("shifted", [False, True])
def test_integers_with_a_scale_for_each_block(shifted: bool) -> None:
    scale = numbers(2, 3, low=0.1)
    offset = RNG.integers(-9, 9, (2, 3)).astype(np.int8)
    arguments = {"data": INT8, "scale": scale} | ({"offset": offset} if shifted else {})
    found = decompressed("constexpr_blockwise_shift_scale", "iOS18", **arguments)
    for row, column in np.ndindex(4, 6):
        block = row // 2, column // 2
        expected = scale[block] * (int(INT8[row, column]) - (int(offset[block]) if shifted else 0))
        assert found[row, column] == pytest.approx(expected, rel=1e-6)


def packed(values: list[int], bits: int) -> Array:
    """Numbers packed into bytes, lowest bits first, one bit at a time."""
    stream = list(itertools.chain.from_iterable([value >> place & 1 for place in range(bits)] for value in values))
    stream += [0] * (-len(stream) % 8)
    return np.array(
        [
            sum(bit << place for place, bit in enumerate(stream[start : start + 8]))
            for start in range(0, len(stream), 8)
        ],
        np.uint8,
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8])
def test_a_table_with_packed_indices(bits: int) -> None:
    table, indices = numbers(2**bits), RNG.integers(0, 2**bits, 15)
    found = decompressed(
        "constexpr_lut_to_dense",
        indices=packed(indices.tolist(), bits),
        lut=table,
        shape=np.array([3, 5], np.uint32),
    )
    np.testing.assert_array_equal(found, table[indices].reshape(3, 5))


def test_a_table_for_each_block() -> None:
    from coremltools.converters.mil.mil import types

    table, indices = numbers(2, 1, 4, 1), RNG.integers(0, 4, (6, 2))
    found = decompressed(
        "constexpr_lut_to_dense",
        "iOS18",
        indices=indices.astype(types.nptype_from_builtin(types.string_to_builtin("uint2"))),
        lut=table,
    )
    for row, column in np.ndindex(6, 2):
        assert found[row, column] == table[row // 3, 0, indices[row, column], 0]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_table_of_vectors(axis: int) -> None:
    from coremltools.converters.mil.mil import types

    table, indices = numbers(1, 1, 2, 3), RNG.integers(0, 2, (2, 4))
    found = decompressed(
        "constexpr_lut_to_dense",
        "iOS18",
        indices=indices.astype(types.nptype_from_builtin(types.string_to_builtin("uint1"))),
        lut=table,
        vector_axis=axis,
    )
    for row, column in np.ndindex(*found.shape):
        place = (row // 3, column) if axis == 0 else (row, column // 3)
        assert found[row, column] == table[0, 0, indices[place], (row, column)[axis] % 3]


def test_a_sparse_tensor_with_a_packed_mask() -> None:
    mask, values = [1, 0, 0, 1, 1, 0, 0, 0, 0, 1], numbers(4)
    found = decompressed(
        "constexpr_sparse_to_dense",
        nonzero_data=values,
        mask=packed(mask, 1),
        shape=np.array([2, 5], np.uint32),
    )
    expected = np.zeros(10, np.float32)
    expected[np.flatnonzero(mask)] = values
    np.testing.assert_array_equal(found, expected.reshape(2, 5))


def test_a_sparse_tensor_with_its_mask() -> None:
    from coremltools.converters.mil.mil import types

    mask = np.array([[1, 0, 1], [0, 0, 1]])
    found = decompressed(
        "constexpr_sparse_to_dense",
        "iOS18",
        nonzero_data=numbers(3),
        mask=mask.astype(types.nptype_from_builtin(types.string_to_builtin("uint1"))),
    )
    expected = np.zeros((2, 3), np.float32)
    expected[mask == 1] = numbers(3)
    np.testing.assert_array_equal(found, expected)


def test_float16_held_for_float32() -> None:
    half = numbers(3).astype(np.float16)
    found = decompressed("constexpr_cast", source_val=half, output_dtype="fp32")
    np.testing.assert_array_equal(found, half.astype(np.float32))
