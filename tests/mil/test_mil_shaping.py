"""Operations that move numbers, against numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="coremltools builds MIL programs; it has no wheel for this machine")

from mil_programs import executed, numbers

A = numbers(2, 3, 4)
Case = tuple[Callable[[Any, Any], Any], Callable[[np.ndarray], Any]]

CASES: dict[str, Case] = {
    "reshape": (lambda mb, x: mb.reshape(x=x, shape=[4, -1]), lambda x: x.reshape(4, 6)),
    "reshape, inheriting": (lambda mb, x: mb.reshape(x=x, shape=[0, 4, 3]), lambda x: x.reshape(2, 4, 3)),
    "reshape to a computed shape": (
        lambda mb, x: mb.reshape(x=x, shape=mb.concat(values=[mb.gather(x=mb.shape(x=x), indices=[2]), [6]], axis=0)),
        lambda x: x.reshape(4, 6),
    ),
    "expand_dims": (lambda mb, x: mb.expand_dims(x=x, axes=[0, -1]), lambda x: x[None, ..., None]),
    "squeeze": (lambda mb, x: mb.squeeze(x=mb.expand_dims(x=x, axes=[1, 3]), axes=[1]), lambda x: x[:, :, None]),
    "squeeze all": (lambda mb, x: mb.squeeze(x=mb.expand_dims(x=x, axes=[1, 3])), lambda x: x),
    "transpose": (lambda mb, x: mb.transpose(x=x, perm=[2, 0, 1]), lambda x: x.transpose(2, 0, 1)),
    "concat": (lambda mb, x: mb.concat(values=[x, A[:, :1]], axis=-2), lambda x: np.concatenate([x, A[:, :1]], 1)),
    "concat, interleaved": (
        lambda mb, x: mb.concat(values=[x, 2 * A], axis=1, interleave=True),
        lambda x: np.stack([x[:, 0], 2 * A[:, 0], x[:, 1], 2 * A[:, 1], x[:, 2], 2 * A[:, 2]], 1),
    ),
    "stack": (lambda mb, x: mb.stack(values=[x, 2 * A], axis=1), lambda x: np.stack([x, 2 * A], 1)),
    "slice": (
        lambda mb, x: mb.slice_by_index(x=x, begin=[0, 1, 0], end=[2, 3, 4], stride=[1, 1, 2]),
        lambda x: x[:, 1:3, ::2],
    ),
    "slice backwards": (
        lambda mb, x: mb.slice_by_index(
            x=x, begin=[0, 0, -1], end=[2, 0, 0], stride=[1, 1, -1], begin_mask=[True] * 3, end_mask=[True] * 3
        ),
        lambda x: x[:, :, ::-1],
    ),
    "slice of one": (
        lambda mb, x: mb.slice_by_index(
            x=x,
            begin=[0, -1, 0],
            end=[0, 0, 3],
            end_mask=[True, False, False],
            squeeze_mask=[False, True, False],
        ),
        lambda x: x[:, -1, :3],
    ),
    "slice by size": (
        lambda mb, x: mb.slice_by_size(x=x, begin=[0, 1, 2], size=[1, -1, 2]),
        lambda x: x[:1, 1:, 2:4],
    ),
    "tile": (lambda mb, x: mb.tile(x=x, reps=[1, 2, 3]), lambda x: np.tile(x, (1, 2, 3))),
    "gather": (lambda mb, x: mb.gather(x=x, indices=[[0, -1], [1, 0]], axis=2), lambda x: x[:, :, [[0, -1], [1, 0]]]),
    "gather one": (lambda mb, x: mb.gather(x=x, indices=np.int32(1), axis=1), lambda x: x[:, 1]),
    "pad": (
        lambda mb, x: mb.pad(x=x, pad=[1, 2, 0, 3], constant_val=0.5),
        lambda x: np.pad(x, ((0, 0), (1, 2), (0, 3)), constant_values=0.5),
    ),
    "pad, reflecting": (
        lambda mb, x: mb.pad(x=x, pad=[1, 2], mode="reflect"),
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2)), mode="reflect"),
    ),
    "shape": (lambda mb, x: mb.shape(x=x), lambda x: np.array([2, 3, 4])),
    "fill": (
        lambda mb, x: mb.add(x=x, y=mb.fill(shape=mb.shape(x=x), value=np.float32(2))),
        lambda x: x + 2,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_moving_numbers(case: str) -> None:
    from coremltools.converters.mil.mil import Builder

    build, expected = CASES[case]
    (found,) = executed(lambda x: build(Builder, x), A)
    np.testing.assert_array_equal(found, expected(A))


@pytest.mark.parametrize("how", [{"num_splits": 2}, {"split_sizes": [1, 3]}], ids=["equal", "sizes"])
def test_split(how: dict[str, Any]) -> None:
    from coremltools.converters.mil.mil import Builder

    found = executed(lambda x: Builder.split(x=x, axis=-1, **how), A)
    expected = np.split(A, [how["split_sizes"][0]] if "split_sizes" in how else 2, -1)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
