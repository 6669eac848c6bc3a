import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import profiles
from exporters.formats import FORMATS
from profiles import Profile, ProfileError, load, source

GIVEN = {
    "name": "device",
    "title": "A device",
    "format": "onnx",
    "runtime": "ONNX Runtime",
    "width": 0.5,
    "precision": "float32",
    "precisions": ["float32", "float16"],
    "notes": ["Slow when hot."],
    "batch": {"min": 1, "opt": 2, "max": 4},
}
TENSORRT = {"compute_capability": "8.7", "version": ">=10.3,<12", "workspace_mb": 512}
COREML = {"minimum_deployment_target": "iOS16", "compute_units": "ALL"}

shipped = pytest.mark.parametrize("name", profiles.names())


def write(folder: Path, text: str, name: str = "device.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def toml(table: dict[str, Any]) -> str:
    """The keys of `table` in TOML: plain values first, then its tables."""
    plain = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    tables = [f"[{key}]\n{toml(value)}" for key, value in table.items() if isinstance(value, dict)]
    return "\n".join(plain + tables) + "\n"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | float) else repr(value)


def refusal(folder: Path, **changes: object) -> ProfileError:
    """The error that a valid profile with these changes meets; None takes a key away."""
    changed = {key: value for key, value in {**GIVEN, **changes}.items() if value is not None}
    with pytest.raises(ProfileError) as caught:
        profiles.load(write(folder, toml(changed)), formats=("onnx", "tensorrt", "coreml"))
    return caught.value


def test_the_devices_that_are_promised_are_shipped() -> None:
    promised = {"server-gpu", "server-cpu", "jetson-orin", "jetson-orin-nano", "iphone", "android", "raspberry-pi"}
    assert promised <= set(profiles.names())
    assert list(profiles.names()) == sorted(profiles.names())


@pytest.mark.parametrize(
    ("name", "format_", "width", "precision"),
    [
        ("server-gpu", "onnx", 1.0, "float16"),
        ("server-cpu", "onnx", 1.0, "float32"),
        ("jetson-orin", "tensorrt", 0.75, "float16"),
        ("jetson-orin-nano", "tensorrt", 0.5, "float16"),
        ("iphone", "coreml", 0.5, "float16"),
        ("android", "onnx", 0.5, "float16"),
        ("raspberry-pi", "onnx", 0.25, "float32"),
    ],
)
def test_each_device_gets_what_it_can_run(name: str, format_: str, width: float, precision: str) -> None:
    profile = profiles.load(name)
    assert (profile.format, profile.width, profile.precision) == (format_, width, precision)


@shipped
def test_each_shipped_profile_explains_itself(name: str) -> None:
    profile = profiles.load(name)
    assert profile.name == name
    assert len(profile.title) > len("server")
    assert profile.runtime
    assert len(profile.notes) >= 2
    assert all(note.endswith(".") for note in profile.notes)


@shipped
def test_each_shipped_profile_stays_what_it_is_as_json(name: str) -> None:
    profile = profiles.load(name)
    assert Profile.model_validate_json(profile.model_dump_json()) == profile


@shipped
def test_each_shipped_profile_serves_as_the_start_of_an_own_one(name: str, tmp_path: Path) -> None:
    text = (Path(profiles.__file__).parent / f"{name}.toml").read_text(encoding="utf-8")
    own = profiles.load(write(tmp_path, text.replace(f'name = "{name}"', 'name = "my-device"'), "my-device.toml"))
    assert own == profiles.load(name).model_copy(update={"name": "my-device"})


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        profiles.load("server-cpu").width = 0.5  # type: ignore[misc]


def test_everything_that_a_file_says_is_read(tmp_path: Path) -> None:
    budget = {"latency_ms": 5.5, "multiply_adds": 1_000_000, "parameters": 1000, "size_mb": 4, "memory_mb": 64.0}
    table = {**GIVEN, "format": "tensorrt", "tensorrt": TENSORRT, "budget": budget}
    profile = profiles.load(write(tmp_path, toml(table)))
    assert profile.model_dump(mode="json") == {**table, "coreml": None}


def test_the_file_may_come_from_any_editor(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_bytes(b"\xef\xbb\xbf" + toml(GIVEN).replace("\n", "\r\n").encode())
    assert profiles.load(str(path)).width == 0.5


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("jetson", "jetson-orin or jetson-orin-nano"),
        ("gpu", "server-gpu"),
        ("Raspberry_Pi", "raspberry-pi"),
        ("iphnoe", "iphone"),
        ("orin-nano", "jetson-orin-nano"),
    ],
)
def test_an_unknown_name_is_told_what_it_may_have_meant(asked: str, meant: str) -> None:
    with pytest.raises(ProfileError, match=f"no profile '{asked}'") as caught:
        profiles.load(asked)
    assert f"Did you mean {meant}?" in caught.value.remedy


@pytest.mark.parametrize("asked", ["toaster", "", "../server-cpu", "schema"])
def test_an_unknown_name_is_told_all_names_and_that_files_serve_too(asked: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profiles.load(asked)
    assert all(name in caught.value.remedy for name in profiles.names())
    assert "ends in .toml" in caught.value.remedy
    assert asked == "../server-cpu" or "Did you mean" not in caught.value.remedy


def test_the_name_of_a_file_without_its_ending_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, toml(GIVEN))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProfileError, match=r"no profile 'device', but a file device\.toml") as caught:
        profiles.load("device")
    assert profiles.load(caught.value.remedy.split()[-1]).name == "device"


def test_a_missing_file_is_named_with_the_profile_that_may_be_meant() -> None:
    with pytest.raises(ProfileError, match=r"jetson-orin\.toml can't be read: No such file") as caught:
        profiles.load("absent/jetson-orin.toml")
    assert "Did you mean jetson-orin" in caught.value.remedy


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "device.toml").mkdir()
    with pytest.raises(ProfileError, match=r"device\.toml can't be read: Is a directory"):
        profiles.load(str(tmp_path / "device.toml"))


def test_text_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "device.toml").write_bytes(b'title = "Ger\xe4t"')
    with pytest.raises(ProfileError, match=r"device\.toml is not UTF-8 text: byte 12"):
        profiles.load(str(tmp_path / "device.toml"))


@pytest.mark.parametrize(
    ("text", "line"),
    [('name = "device"\nwidth 0.5\n', 2), ("name = 'a'\nname = 'b'\n", 2), ('\n\ntitle = """open\n', 3)],
)
def test_wrong_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ProfileError, match=rf"device\.toml is not valid TOML: .*at line {line}\b"):
        profiles.load(write(tmp_path, text))


def test_an_unknown_key_is_told_with_the_known_ones(tmp_path: Path) -> None:
    error = refusal(tmp_path, precison="float16")
    assert str(tmp_path / "device.toml") in error.message
    assert "`precison` is not a known key (did you mean `precision`?)" in error.message
    assert "The keys of a profile are name, title, format," in error.remedy


def test_an_unknown_key_in_a_table_is_told_with_the_known_ones_there(tmp_path: Path) -> None:
    error = refusal(tmp_path, batch={"min": 1, "opt": 2, "maximum": 4})
    assert "`batch.maximum` is not a known key" in error.message
    assert "`batch.max` is missing" in error.message
    assert error.remedy == "The keys of [batch] are min, opt, max."


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    error = refusal(tmp_path, width=2.0, speed=3, budget={"size": 4})
    assert all(part in error.message for part in ("`width`", "`speed`", "`budget.size` is not a known key"))
    assert "The keys of [budget] are latency_ms," in error.remedy


@pytest.mark.parametrize("key", [key for key in GIVEN if key != "notes"])
def test_a_missing_key_is_told(tmp_path: Path, key: str) -> None:
    assert f"`{key}` is missing" in refusal(tmp_path, **{key: None}).message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 0.0}, "`width` = 0.0 should be greater than 0"),
        ({"width": -0.5}, "`width` = -0.5 should be greater than 0"),
        ({"width": 1.01}, "`width` = 1.01 should be less than or equal to 1"),
        ({"width": float("nan")}, "`width` = nan should be"),
        ({"width": True}, "`width` = true should be a valid number"),
        ({"width": "0.5"}, "`width` = '0.5' should be a valid number"),
        ({"format": "tflite"}, "`format` = 'tflite' should be 'onnx', 'tensorrt' or 'coreml'"),
        ({"precision": "fp16"}, "`precision` = 'fp16' should be 'float32', 'float16' or 'int8'"),
        ({"precision": "int8"}, "`precision` = 'int8' isn't one of `precisions` = ['float32', 'float16']"),
        ({"precisions": ["float32", "half"]}, "`precisions.1` = 'half' should be 'float32', 'float16' or 'int8'"),
        ({"precisions": []}, "`precisions` = []"),
        ({"precisions": "float32"}, "`precisions` = 'float32' should be a valid tuple"),
        ({"title": ""}, "`title` = ''"),
        ({"notes": "Slow."}, "`notes` = 'Slow.' should be a valid tuple"),
        ({"name": "My Device"}, "`name` = 'My Device' should be made of letters, digits"),
        ({"name": "../device"}, "`name` = '../device' should be made of"),
        ({"name": "other"}, "`name` = 'other' should be the name of its file"),
        ({"batch": 3}, "`batch` = 3 should be a table"),
        ({"batch": {"min": 1, "opt": 8, "max": 4}}, "[batch] has min = 1, opt = 8, max = 4: they must not descend"),
        ({"batch": {"min": 3, "opt": 2, "max": 4}}, "[batch] has min = 3, opt = 2, max = 4: they must not descend"),
        ({"batch": {"min": 0, "opt": 2, "max": 4}}, "`batch.min` = 0 should be greater than or equal to 1"),
        ({"batch": {"min": 1, "opt": 2.5, "max": 4}}, "`batch.opt` = 2.5 should be a valid integer"),
        ({"budget": {"latency_ms": 0}}, "`budget.latency_ms` = 0 should be greater than 0"),
        ({"budget": {"size_mb": float("inf")}}, "`budget.size_mb` = inf should be a finite number"),
        ({"format": "tensorrt"}, "needs a table [tensorrt] with compute_capability, version, workspace_mb"),
        ({"format": "coreml"}, "needs a table [coreml] with minimum_deployment_target, compute_units"),
        ({"tensorrt": TENSORRT}, "the table [tensorrt] doesn't belong to `format` = 'onnx'"),
        ({"coreml": COREML}, "the table [coreml] doesn't belong to `format` = 'onnx'"),
        (
            {"format": "tensorrt", "tensorrt": {**TENSORRT, "compute_capability": "87"}},
            "`tensorrt.compute_capability` = '87' should look like '8.7'",
        ),
        (
            {"format": "tensorrt", "tensorrt": {**TENSORRT, "version": "new"}},
            "`tensorrt.version` = 'new' should look like '10.3' or '>=10.3,<12'",
        ),
        (
            {"format": "coreml", "coreml": {**COREML, "minimum_deployment_target": "16"}},
            "`coreml.minimum_deployment_target` = '16' should look like 'iOS16'",
        ),
        (
            {"format": "coreml", "coreml": {**COREML, "compute_units": "NPU"}},
            "`coreml.compute_units` = 'NPU' should be 'ALL', 'CPU_ONLY', 'CPU_AND_GPU' or 'CPU_AND_NE'",
        ),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    error = refusal(tmp_path, **changes)
    assert str(tmp_path / "device.toml") in error.message
    assert told in error.message
    assert error.remedy


def test_a_long_value_is_cut_short(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, width="x" * 10_000).message) < 400


@shipped
def test_each_allowed_precision_can_be_asked_for_and_no_other(name: str) -> None:
    profile = profiles.load(name)
    for precision in profile.precisions:
        assert profile.with_precision(precision).precision == precision
    with pytest.raises(ProfileError, match=f"{name} can't be exported in precision 'float8'") as caught:
        profile.with_precision("float8")
    assert ", ".join(profile.precisions) in caught.value.remedy


def test_every_shipped_profile_has_a_known_format() -> None:
    assert {"onnx", "tensorrt", "coreml"} == {profiles.load(name, formats=FORMATS).format for name in profiles.names()}


def test_of_a_format_only_a_caller_knows_whether_it_can_be_written(tmp_path: Path) -> None:
    assert profiles.load(write(tmp_path, toml({**GIVEN, "format": "paper"}))).format == "paper"


def test_every_shipped_profile_has_a_title_of_its_own() -> None:
    assert len({profiles.load(name).title for name in profiles.names()}) == len(profiles.names())


def test_importing_profiles_imports_nothing_heavy_nor_any_other_package_of_ours() -> None:
    unwanted = {"torch", "numpy", "onnx", "onnxruntime", "rich", "typer", "sfsc_deploy", "trainer", "exporters"}
    code = "import sys, profiles; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "profiles" in found.stdout.split()
    assert unwanted.isdisjoint(found.stdout.split())


def test_the_source_of_a_profile_can_begin_one_of_your_own(tmp_path: Path) -> None:
    mine = tmp_path / "my-device.toml"
    mine.write_text(source("android").replace('name = "android"', 'name = "my-device"'), encoding="utf-8")
    assert load(str(mine)).title == load("android").title
    assert source(str(mine)) == mine.read_text(encoding="utf-8")
