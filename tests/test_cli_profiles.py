"""`sfsc-deploy profiles`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import profiles
from sfsc_deploy.cli.app import app


def sfsc_deploy(*arguments: str) -> str:
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_list_names_every_profile() -> None:
    shown = sfsc_deploy("profiles", "list")
    assert all(name in shown for name in profiles.names())


def test_list_as_json_is_the_profiles() -> None:
    document = json.loads(sfsc_deploy("profiles", "list", "--json", "-"))
    assert [profiles.Profile.model_validate_json(json.dumps(entry)) for entry in document["profiles"]] == [
        profiles.load(name) for name in profiles.names()
    ]


@pytest.mark.parametrize("name", profiles.names())
def test_show_tells_all_that_the_profile_says(name: str) -> None:
    shown = sfsc_deploy("profiles", "show", name)
    said = profiles.load(name).model_dump(exclude_none=True)
    assert all(key in shown for key in said)
    assert all(value in shown for value in said.values() if isinstance(value, str))
    assert all(note in shown for note in said["notes"])


def test_show_takes_a_file_of_ones_own(tmp_path: Path) -> None:
    shipped = Path(profiles.__file__).with_name("android.toml").read_text(encoding="utf-8")
    own = tmp_path / "my-device.toml"
    own.write_text(shipped.replace('name = "android"', 'name = "my-device"'), encoding="utf-8")
    assert "my-device" in sfsc_deploy("profiles", "show", str(own))


def test_an_unknown_name_is_told_with_near_ones() -> None:
    answer = CliRunner().invoke(app, ["profiles", "show", "androit"])
    assert answer.exit_code == 2
    assert "Did you mean android?" in answer.stderr
    assert "Traceback" not in answer.stderr
