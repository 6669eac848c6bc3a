"""Fixtures that tests of several modules share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Resolved before the tests leave the checkout: it may be given relative to it.
_GIVEN = os.environ.get("SFSC_DATA") and Path(os.environ["SFSC_DATA"]).resolve()

REAL_SETS = ("grocery", "omniglot_small")


@pytest.fixture(params=REAL_SETS, scope="session")
def real_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real images, once for each set.

    For one set alone: `@pytest.mark.parametrize("real_data", ["grocery"], indirect=True)`.

    They are looked for in the folder that the environment variable SFSC_DATA names, or else in shared/data beside the
    checkout, and aren't part of it: where they are absent the test is skipped.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(_GIVEN or beside) / request.param
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} doesn't exist; name the folder of {request.param} by SFSC_DATA")
    return folder


@pytest.fixture(autouse=True, scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lets all tests run in a folder of their own: what a command writes to by default is not the checkout."""
    checkout = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(checkout)
