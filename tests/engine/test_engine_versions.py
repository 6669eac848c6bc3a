import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine.versions import fits, parse_version, same_version

NUMBERS = st.lists(st.integers(0, 12), min_size=3, max_size=3).map(tuple)


@pytest.mark.parametrize(
    ("text", "version"),
    [("10.3.0", (10, 3, 0)), ("10.13.3.9", (10, 13, 3, 9)), ("8.6.1.post1", (8, 6, 1)), ("11", (11,))],
)
def test_a_version_is_the_numbers_that_it_begins_with(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "v10", "dev"])
def test_no_version_is_an_error(text: str) -> None:
    with pytest.raises(SfscError, match="is no version of TensorRT"):
        parse_version(text)


@pytest.mark.parametrize(
    ("version", "specifier", "fitting"),
    [
        ("10.3.0", ">=10.3,<12", True),
        ("10.3.0.30", ">=10.3,<12", True),
        ("11.4.0.106", ">=10.3,<12", True),
        ("12.0.0", ">=10.3,<12", False),
        ("10.2.9", ">=10.3,<12", False),
        ("9.9", ">=10.3, <12", False),
        ("10.13.3.9", ">=10.3", True),
        ("10.3.0", "10.3", True),
        ("10.3.0", "==10.3.0", True),
        ("10.4.0", "10.3", False),
        ("10.30.0", "10.3", False),
        ("10.3.5", "<=10.3", True),
        ("10.4.0", "<=10.3", False),
        ("10.3.5", ">10.3", False),
        ("10.4.0", ">10.3", True),
        ("10.3.5", "<10.3", False),
        ("10", ">=10.3", False),
    ],
)
def test_versions_within_bounds(version: str, specifier: str, fitting: bool) -> None:
    assert fits(parse_version(version), specifier) is fitting


@pytest.mark.parametrize("specifier", ["", ">=10.3,", "~=10.3", "ten", "10.3.*"])
def test_what_is_no_specifier_is_an_error(specifier: str) -> None:
    with pytest.raises(SfscError, match="doesn't say which versions"):
        fits((10, 3, 0), specifier)


@given(NUMBERS, NUMBERS)
def test_bounds_order_versions_as_tuples_do(version: tuple[int, ...], limit: tuple[int, ...]) -> None:
    bound = ".".join(map(str, limit))
    assert fits(version, f">={bound}") is (version >= limit)
    assert fits(version, f"<{bound}") is (version < limit)
    assert fits(version, f">{bound}") is not fits(version, f"<={bound}")
    assert fits(version, f">={bound},<={bound}") is fits(version, f"=={bound}") is same_version(version, limit)


def test_a_missing_last_number_makes_no_other_version() -> None:
    assert same_version((10, 3, 0), (10, 3, 0, 30))
    assert not same_version((10, 3, 0), (10, 3, 1))
    assert not same_version((10, 13, 3, 9), (10, 13, 3, 10))
