"""Methods compared: what is trained, what is known already, and what the figures say."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="comparing needs torch")
pytest.importorskip("kornia", reason="training varies its images with kornia")
pytest.importorskip("matplotlib", reason="a comparison is drawn")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from image_trees import write_tree  # noqa: E402
from older_run import older_recipe  # noqa: E402
from sfsc_deploy.comparing import CONTENDERS, CompareRequest, Contender, contenders  # noqa: E402
from sfsc_deploy.comparing.comparison import Comparison, Figure  # noqa: E402
from sfsc_deploy.comparing.outcome import Outcome  # noqa: E402
from sfsc_deploy.comparing.picture import draw  # noqa: E402
from sfsc_deploy.comparing.run import compare  # noqa: E402
from sfsc_deploy.comparing.table import COLUMNS, markdown, rows  # noqa: E402
from sfsc_deploy.errors import SfscError  # noqa: E402
from sfsc_deploy.run_folder import RunFolder  # noqa: E402
from sfsc_deploy.training import Plan, Progress  # noqa: E402
from tiny_supernet import DIM, SIDE, tiny_architecture  # noqa: E402
from trainer.recipe import Recipe  # noqa: E402

SETTINGS: dict[str, Any] = {
    "arch": "tiny",
    "widths": [0.5, 1.0],
    "embedding_dim": DIM,
    "image_size": SIDE,
    "epochs": 1,
    "batch_size": 16,
    "device": "cpu",
}


class StoppedError(Exception):
    pass


class Heard:
    """A listener that remembers, and may stop a run."""

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.begun: list[str] = []
        self.known: list[bool] = []
        self.steps = 0
        self._stop_at = stop_at

    def begins(self, contender: Contender, seed: int, number: int, total: int) -> "Heard":
        self.begun.append(f"{contender.name}-{seed} {number}/{total}")
        return self

    def ended(self, outcome: Outcome, known: bool) -> None:
        self.known.append(known)

    def started(self, plan: Plan) -> None:
        if self._stop_at and self.begun[-1].startswith(self._stop_at[0]) and plan.steps_done >= self._stop_at[1]:
            raise StoppedError

    def stepped(self, progress: Progress) -> None:
        self.steps += 1

    def evaluated(self, epoch: int, evaluation: object) -> None: ...


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    with tiny_architecture():
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    names = [f"{i:04}_c{camera}s1_{shot:06}_00.jpg" for i in range(1, 9) for camera in (1, 2) for shot in (1, 2, 3)]
    write_tree(root, [f"train/{name[:4]}/{name}" for name in names])
    write_tree(root, [f"query/{name[:4]}/{name}" for name in names if "_c1" in name])
    write_tree(root, [f"gallery/{name[:4]}/{name}" for name in names if "_c2" in name])
    return root


@pytest.fixture
def wanted(photos: Path, tmp_path: Path) -> Callable[..., CompareRequest]:
    def request(*names: str, seeds: int = 2, **settings: Any) -> CompareRequest:
        return CompareRequest(contenders(names), tmp_path / "comparison", photos, seeds, overrides=SETTINGS | settings)

    return request


def test_every_method_is_trained_with_every_seed(wanted: Callable[..., CompareRequest]) -> None:
    heard = Heard()
    comparison = compare(wanted("joint", "unified", "bct"), heard)
    names = ["joint-0 1/6", "unified-0 2/6", "bct-0 3/6", "joint-1 4/6", "unified-1 5/6", "bct-1 6/6"]
    assert heard.begun == names
    assert [standing.widths for standing in comparison.standings] == [(0.5, 1.0), (0.5,), (0.5, 1.0)]
    assert all(len(standing.outcomes) == 2 for standing in comparison.standings)
    joint, unified, bct = comparison.standings
    assert unified.parameters < joint.parameters < bct.parameters
    assert bct.parameters == unified.parameters + joint.parameters
    assert unified.worst is None
    assert joint.seconds > 0


def test_heads_of_their_own_count_among_the_parameters(wanted: Callable[..., CompareRequest]) -> None:
    """The narrow one's 8 channels to the embedding, and what its norm adds there."""
    sfsc, joint = compare(wanted("sfsc", "joint", seeds=1), Heard()).standings
    of_widest = joint.parameters - DIM  # its norm has a scale and an offset, a head that holds the norm an offset alone
    assert sfsc.parameters == of_widest + 8 * DIM + DIM


def test_what_is_there_is_neither_trained_nor_measured_again(wanted: Callable[..., CompareRequest]) -> None:
    before = compare(wanted("joint", seeds=1), Heard())
    heard = Heard()
    after = compare(wanted("joint", seeds=2), heard)
    assert heard.known == [True, False]
    assert after.outcomes[0] == before.outcomes[0]


def test_the_figures_are_those_of_the_runs_own_evaluation(wanted: Callable[..., CompareRequest]) -> None:
    request = wanted("joint", seeds=1)
    (outcome,) = compare(request, Heard()).outcomes
    np.testing.assert_allclose(outcome.map, RunFolder.open(request.out / "joint-0").evaluation["map"])


def test_a_stopped_comparison_goes_on_where_it_was(wanted: Callable[..., CompareRequest]) -> None:
    request = wanted("sfsc", "joint", seeds=1)
    with pytest.raises(StoppedError):
        compare(request, Heard(stop_at=("joint", 0)))
    heard = Heard()
    compare(request, heard)
    assert heard.known == [True, False]


def test_a_folder_of_another_comparison_is_refused(wanted: Callable[..., CompareRequest]) -> None:
    compare(wanted("joint", seeds=1), Heard())
    with pytest.raises(SfscError, match=r"joint-0 was trained with other settings: epochs\..*another --out"):
        compare(wanted("joint", seeds=1, epochs=2), Heard())


def test_runs_of_an_older_version_are_not_taken_for_the_method_of_today(
    wanted: Callable[..., CompareRequest],
) -> None:
    """Widths shared one head and were not aligned then, as they still are in the paper's variant."""
    request = wanted("sfsc", "sfsc-paper", seeds=1)
    compare(request, Heard())
    for name in ("sfsc-0", "sfsc-paper-0"):
        older_recipe(request.out / name / "recipe.toml")
    with pytest.raises(SfscError, match=r"/sfsc-0 was trained with other settings: compatibility"):
        compare(request, Heard())
    heard = Heard()
    compare(wanted("sfsc-paper", seeds=1), heard)
    assert heard.known == [True]


@pytest.mark.parametrize("other", [{"space": "f" * 64}, {"allowed": None}], ids=["of another run", "judged otherwise"])
def test_another_outcome_is_measured_anew(wanted: Callable[..., CompareRequest], other: dict[str, object]) -> None:
    request = wanted("joint", seeds=1)
    compare(request, Heard())
    file = request.out / "joint-0" / "outcome.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | other))
    heard = Heard()
    compare(request, heard)
    assert heard.known == [False]


def test_a_comparison_does_not_become_the_latest_run(
    wanted: Callable[..., CompareRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compare(wanted("joint", seeds=1), Heard())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("names", "says"), [(["sfcs"], "Method 'sfcs' is not one of"), ([], "No method"), (["bct", "bct"], "named twice")]
)
def test_names_that_make_no_sense_are_refused(names: list[str], says: str) -> None:
    with pytest.raises(SfscError, match=says):
        contenders(names)


@pytest.mark.parametrize("contender", CONTENDERS.values(), ids=str)
def test_every_contender_is_a_valid_recipe_unlike_the_others(contender: Contender) -> None:
    recipes = {name: Recipe.model_validate(each.settings) for name, each in CONTENDERS.items()}
    assert [name for name, recipe in recipes.items() if recipe == recipes[contender.name]] == [contender.name]


def outcome(method: str, seed: int, matrix: list[list[float]], violations: int = 0) -> Outcome:
    widths = tuple((number + 1) / len(matrix) for number in range(len(matrix)))
    return Outcome(
        method=method,
        seed=seed,
        space="0",
        widths=widths,
        map=tuple(map(tuple, matrix)),
        rank1=tuple(map(tuple, matrix)),
        violations=violations,
        parameters=1000,
        seconds=61,
    )


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=3, max_size=3))
def test_the_worst_cell_by_definition(matrix: list[list[float]]) -> None:
    pairs = [(q, g) for q in range(3) for g in range(3) if q != g]
    slow = min(matrix[q][g] - min(matrix[q][q], matrix[g][g]) for q, g in pairs)
    assert outcome("sfsc", 0, matrix).worst == pytest.approx(slow)


def test_a_figure_is_a_mean_with_its_standard_error() -> None:
    figure = Figure.of([0.1, 0.2, 0.4])
    assert figure.mean == pytest.approx(0.7 / 3)
    assert figure.error == pytest.approx(np.sqrt(0.07 / 3) / np.sqrt(3), rel=1e-2)
    assert Figure.of([0.5]).error is None


def test_a_lead_is_told_seed_by_seed_whatever_the_order_of_the_runs() -> None:
    means = {("sfsc", 1): 0.9, ("joint", 0): 0.2, ("joint", 1): 0.8, ("sfsc", 0): 0.3}
    outcomes = tuple(outcome(method, seed, [[mean]]) for (method, seed), mean in means.items())
    first, second = Comparison("shop", Recipe(), contenders(["sfsc", "joint"]), outcomes).standings
    assert (first.lead_over(second).mean, first.lead_over(second).error) == pytest.approx((0.1, 0))


def test_the_table_and_the_picture(tmp_path: Path) -> None:
    good, better = [[0.5, 0.4], [0.45, 0.6]], [[0.52, 0.44], [0.45, 0.62]]
    outcomes = (outcome("sfsc", 0, good, 1), outcome("sfsc", 1, better), outcome("unified", 0, [[0.3]]))
    compared = Comparison(
        "shop", Recipe(), contenders(["sfsc", "unified"]), (*outcomes, outcome("unified", 1, [[0.3]]))
    )
    assert rows(compared) == [
        ("sfsc", "49.8 ± 1.0", "", "51.0 61.0", "42.0 ± 2.0", "-9.0 ± 1.0", "1 of 4", "0.00 M", "0:01:01"),
        ("unified", "30.0 ± 0.0", "+19.8 ± 1.0", "30.0", "30.0 ± 0.0", "", "", "0.00 M", "0:01:01"),
    ]
    page = markdown(compared, "comparison.png")
    assert page.startswith("# shop: resnet-mini at 48 x 48, 32 epochs for every model, 2 seeds\n")
    assert all(column in page for column in COLUMNS)
    draw(tmp_path / "comparison.png", compared)
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
