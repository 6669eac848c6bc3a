"""The exact limit of a share: known values, and what it promises."""

import math

import pytest

from sfsc_deploy.binomial import largest_share


@pytest.mark.parametrize(
    ("seen", "count", "limit"),
    [
        (0, 10, 0.3085),
        (1, 10, 0.4450),
        (5, 10, 0.8129),
        (9, 10, 0.9975),
        (0, 100, 0.0362),
        (1, 100, 0.0545),
        (10, 100, 0.1762),
    ],
)
def test_limits_as_in_tables_of_the_exact_interval(seen: int, count: int, limit: float) -> None:
    assert largest_share(seen, count) == pytest.approx(limit, abs=6e-5)


@pytest.mark.parametrize("count", [1, 8, 72, 1024])
def test_of_none_and_of_all_but_one_it_has_a_closed_form(count: int) -> None:
    assert largest_share(0, count) == pytest.approx(1 - 0.025 ** (1 / count), rel=1e-12)
    assert largest_share(count - 1, count) == pytest.approx(0.975 ** (1 / count), rel=1e-12)
    assert largest_share(count, count) == 1


def test_it_is_where_as_few_are_seen_in_2_5_percent_of_all_samples() -> None:
    limit = largest_share(300, 1000)
    tail = sum(math.comb(1000, seen) * limit**seen * (1 - limit) ** (1000 - seen) for seen in range(301))
    assert tail == pytest.approx(0.025, rel=1e-9)
