"""What the subjects of a command stand for."""

from pathlib import Path

import pytest

from sfsc_deploy.cli.subjects import images_of, sub_models
from sfsc_deploy.errors import SfscError


def test_a_folder_that_is_no_run_is_left_as_it_is(tmp_path: Path) -> None:
    package = tmp_path / "iphone.mlpackage"
    package.mkdir()
    assert list(sub_models([str(package)])) == [str(package)]
    with pytest.raises(SfscError, match="--data DIR"):
        images_of([str(package)])
