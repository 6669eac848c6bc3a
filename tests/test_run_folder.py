"""The folder that a training run leaves, and what is told when it isn't one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="a run folder holds a supernet")

from safetensors.torch import load_file, save_file  # noqa: E402

from older_run import older_recipe  # noqa: E402
from sfsc_deploy.artifact import space_id  # noqa: E402
from sfsc_deploy.data.images import Preprocessing  # noqa: E402
from sfsc_deploy.errors import SfscError  # noqa: E402
from sfsc_deploy.parsing import parse_toml  # noqa: E402
from sfsc_deploy.run_folder import (  # noqa: E402
    EVALUATION,
    RECIPE,
    WEIGHTS,
    RunFacts,
    RunFolder,
    parse,
    point_latest_at,
    read_settings,
    write_json,
    write_recipe,
)
from tiny_supernet import calibrate, tiny_architecture, tiny_recipe  # noqa: E402
from trainer.networks import build  # noqa: E402
from trainer.recipe import Compatibility, Recipe  # noqa: E402
from trainer.supernet import Supernet  # noqa: E402

IDENTITIES = 6
PREPROCESSING = Preprocessing(height=16, width=16)


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


def facts(space: str | None) -> RunFacts:
    tools = {"torch": "2.13.0"}
    return RunFacts(data="drawn", identities=IDENTITIES, preprocessing=PREPROCESSING, space=space, tools=tools)


def tiny_networks(identities: int = IDENTITIES) -> Supernet:
    supernet = build(tiny_recipe(), identities)
    assert isinstance(supernet, Supernet)
    return supernet


def make_run(folder: Path) -> Supernet:
    supernet = tiny_networks()
    calibrate(supernet)
    folder.mkdir(parents=True)
    save_file(supernet.state_dict(), folder / WEIGHTS)
    arrays = {name: tensor.numpy() for name, tensor in supernet.state_dict().items()}
    write_recipe(folder, tiny_recipe(), facts(space_id(arrays, supernet.dim, PREPROCESSING)))
    return supernet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_run(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    write_recipe(tmp_path / "half", tiny_recipe(), facts(space=None))
    return tmp_path / "half"


def load(folder: Path) -> Supernet:
    return RunFolder.open(folder).networks()


@pytest.mark.parametrize(
    ("subject", "folder", "width"),
    [
        ("run", "run", None),
        ("run@0.5", "run", 0.5),
        ("runs/a@home@1", "runs/a@home", 1.0),
        ("runs/run@0.25", "runs/run", 0.25),
    ],
)
def test_a_subject_is_a_folder_and_perhaps_a_width(subject: str, folder: str, width: float | None) -> None:
    assert parse(subject) == (Path(folder), width)


def test_a_run_of_an_older_version_was_trained_as_was_usual_then(folder: Path) -> None:
    assert brought_together_by(folder) == ("own", "consensus")
    file = folder / RECIPE
    older_recipe(file)
    assert brought_together_by(folder) == ("all", "none")
    file.write_text(re.sub(r"\[compatibility\]\n(\w+ = .*\n)*", "", file.read_text()))
    assert brought_together_by(folder) == ("all", "none")


def brought_together_by(folder: Path) -> tuple[str, str]:
    settings = RunFolder.open(folder).recipe.compatibility
    return settings.head, settings.alignment


def test_a_folder_may_have_the_sign_of_a_width_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "run@0.5").mkdir()
    assert parse(f"{tmp_path}/run@0.5") == (tmp_path / "run@0.5", None)


@pytest.mark.parametrize("subject", ["run@half", "run@"])
def test_what_is_no_width_is_refused(subject: str) -> None:
    with pytest.raises(SfscError, match=r"is not a width\. Write run@0\.5"):
        parse(subject)


def test_a_run_gives_back_what_was_written(folder: Path) -> None:
    run = RunFolder.open(folder)
    assert run.recipe == tiny_recipe()
    assert (run.name, run.widths, run.dim, run.preprocessing) == ("run", (0.5, 1.0), 8, PREPROCESSING)
    assert run.probe_path == folder / "probe.safetensors"
    assert (run.width(None), run.width(0.5)) == (1.0, 0.5)


def test_the_supernet_comes_back_in_evaluation_mode(tmp_path: Path) -> None:
    expected = make_run(tmp_path / "run").state_dict()
    loaded = load(tmp_path / "run")
    assert not loaded.training
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())


def test_the_name_of_a_run_is_that_of_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert RunFolder.open(Path()).name == "run"


def test_a_width_that_was_not_trained_is_refused(folder: Path) -> None:
    with pytest.raises(SfscError, match=r"has no width 0\.3\. It was trained with: 0\.5, 1"):
        RunFolder.open(folder).width(0.3)


def test_a_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match=r"is not a run folder: it has no recipe\.toml"):
        RunFolder.open(tmp_path)


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").touch()
    with pytest.raises(SfscError, match=r"a\.onnx is not a run folder"):
        RunFolder.open(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("epochs = ", "can't be read"),
        ("epochs = 3", "is not valid"),
        ("epochs = 0\n[run]\n", "is not valid"),
        ("[run]\ndata = 'a'\nidentities = 3\ntools = {}\n", "preprocessing"),
    ],
)
def test_a_damaged_recipe_is_told(folder: Path, text: str, told: str) -> None:
    (folder / RECIPE).write_text(text, encoding="utf-8")
    with pytest.raises(SfscError, match=rf"recipe\.toml {told}|recipe\.toml is not valid: .*{told}"):
        RunFolder.open(folder)


def test_a_recipe_that_is_no_text_is_told(folder: Path) -> None:
    (folder / RECIPE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SfscError, match="can't be read"):
        RunFolder.open(folder)


def test_an_unfinished_run_says_how_to_go_on(unfinished: Path) -> None:
    run = RunFolder.open(unfinished)
    for ask in (lambda: run.space, run.networks):
        with pytest.raises(SfscError, match=r"hasn't finished\. Go on with: sfsc-deploy train --resume .*half"):
            ask()


def test_absent_weights_are_told(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(SfscError, match=r"supernet\.safetensors can't be read"):
        load(folder)


def test_truncated_weights_are_told(folder: Path) -> None:
    weights = folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(SfscError, match=r"supernet\.safetensors can't be read as the run's supernet"):
        load(folder)


def test_weights_of_another_shape_are_told(folder: Path) -> None:
    save_file(tiny_networks(IDENTITIES + 1).state_dict(), folder / WEIGHTS)
    with pytest.raises(SfscError, match=r"can't be read as the run's supernet: .*classifier\.weight"):
        load(folder)


def test_weights_of_another_run_are_told(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["net.head.layers.0.weight"][0, 0] += 1e-3
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(SfscError, match=r"doesn't hold the weights that recipe\.toml speaks of"):
        load(folder)


@pytest.mark.parametrize("content", [None, "{", "[1, 2]"])
def test_an_evaluation_that_cannot_be_read_is_told(folder: Path, content: str | None) -> None:
    if content:
        (folder / EVALUATION).write_text(content, encoding="utf-8")
    with pytest.raises(SfscError, match=r"evaluation\.json can't be read.*sfsc-deploy eval"):
        _ = RunFolder.open(folder).evaluation


def test_an_evaluation_comes_back(folder: Path) -> None:
    content: dict[str, Any] = {"widths": [0.5, 1.0], "map": [[0.5, 0.25], [0.125, 1.0]]}
    write_json(folder / EVALUATION, content)
    assert RunFolder.open(folder).evaluation == content == json.loads((folder / EVALUATION).read_text())


def test_latest_follows_the_newest_run(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_run(tmp_path / name)
        point_latest_at(tmp_path / name, tmp_path)
        assert RunFolder.latest(tmp_path).name == name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "latest", "second"]


def test_runs_can_be_moved_together_with_latest(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a")
    point_latest_at(tmp_path / "runs" / "a", tmp_path / "runs")
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert RunFolder.latest(tmp_path / "moved").name == "a"


def test_without_a_finished_run_there_is_no_latest(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match=r"no finished run in .*Train one first"):
        RunFolder.latest(tmp_path)


def test_latest_points_at_a_run_elsewhere(tmp_path: Path) -> None:
    make_run(tmp_path / "elsewhere")
    point_latest_at(tmp_path / "elsewhere", tmp_path / "runs")
    assert RunFolder.latest(tmp_path / "runs").name == "elsewhere"


@pytest.mark.parametrize(
    "claim", [("embedding_dim = ", 10**9), ("embedding_dim = ", 10**30), ("identities = ", 10**10)]
)
def test_a_recipe_that_claims_networks_larger_than_the_weights_is_refused(folder: Path, claim: tuple[str, int]) -> None:
    setting, number = claim
    file = folder / RECIPE
    text, changes = re.subn(rf"(?m)^{setting}\d+$", f"{setting}{number}", file.read_text(encoding="utf-8"))
    assert changes == 1
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SfscError, match="can't be read as the run's supernet"):
        RunFolder.open(folder).networks()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"method": "joint"}, {"evidence_scale", "old_generation"}),
        ({"method": "sfsc"}, set(Compatibility.model_fields)),
    ],
)
def test_a_recipe_tells_nothing_that_its_method_does_not_look_at(
    tmp_path: Path, settings: dict[str, Any], told: set[str]
) -> None:
    """Else the reader of a joint run would believe that it was aligned."""
    recipe = tiny_recipe(**settings)
    write_recipe(tmp_path, recipe, facts(space=None))
    written, _ = read_settings(tmp_path / RECIPE)
    plain = parse_toml((tmp_path / RECIPE).read_text())
    assert set(plain["compatibility"]) == told
    assert not recipe.differing(Recipe.model_validate(written))
