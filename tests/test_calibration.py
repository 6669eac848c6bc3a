"""Which images calibrate int8, and what is kept of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fleet import PREPROCESSING, portraits
from sfsc_deploy.data.drawn.robots import drawn_set
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.calibration import LEAST_IMAGES, MOST_IMAGES, calibration_set
from sfsc_deploy.run_folder import RunFacts, RunFolder
from trainer.recipe import Recipe

RunOf = Callable[..., RunFolder]


@pytest.fixture
def run_of(tmp_path: Path) -> RunOf:
    def run(
        data: str = "portraits", root: Path | None = None, preprocessing: Preprocessing = PREPROCESSING
    ) -> RunFolder:
        facts = RunFacts(
            data=data, root=str(root) if root else None, identities=2, preprocessing=preprocessing, tools={}
        )
        return RunFolder(tmp_path / "run", Recipe(), facts)

    return run


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A data set of 5 training identities, and of 2 others to measure with."""
    root = tmp_path / "labelled"
    for purpose, identities, numbers in (
        ("train", range(5), range(4)),
        ("query", (7, 8), range(10)),
        ("gallery", (7, 8), range(10, 20)),
    ):
        split = portraits(identities, numbers)
        for number, (source, identity) in enumerate(zip(split.sources, split.identity, strict=True)):
            file = root / purpose / identity / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(source))
    return root


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    """Images in a folder and in a folder inside, among other files."""
    root = tmp_path / "unlabelled"
    for number, source in enumerate(portraits(range(4), range(5)).sources):
        file = root / ("" if number % 2 else "deeper") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(source))
    (root / "notes.txt").write_text("no image", encoding="utf-8")
    return root


def test_the_drawn_set_is_at_hand_wherever_a_run_lies(run_of: RunOf) -> None:
    found = calibration_set(run_of(drawn_set().name), None)
    assert found.images.shape == (MOST_IMAGES, 32, 24, 3)
    assert found.record().origin == drawn_set().name


def test_the_training_images_of_the_run_are_taken_and_no_others(run_of: RunOf, labelled: Path) -> None:
    found = calibration_set(run_of("labelled", labelled), None)
    expected = portraits(range(5), range(4)).load(PREPROCESSING)
    assert {image.tobytes() for image in found.images} == {image.tobytes() for image in expected}
    assert len(found.images) == len(expected)


def test_training_images_of_a_set_that_is_given(run_of: RunOf, labelled: Path) -> None:
    assert calibration_set(run_of(), labelled).record() == calibration_set(run_of("labelled", labelled), None).record()


def test_any_folder_of_images_will_do(run_of: RunOf, unlabelled: Path) -> None:
    found = calibration_set(run_of(), unlabelled)
    assert len(found.images) == 20
    assert found.record().origin == "unlabelled"


def test_images_that_are_gone_are_never_replaced(run_of: RunOf, tmp_path: Path) -> None:
    with pytest.raises(SfscError, match=r"not in .*gone any more") as told:
        calibration_set(run_of("gone", tmp_path / "gone"), None)
    assert "--calibration" in told.value.remedy


def test_a_run_of_unknown_images_is_not_calibrated_with_the_drawn_ones(run_of: RunOf) -> None:
    with pytest.raises(SfscError, match=r"\(portraits\) are not at hand"):
        calibration_set(run_of("portraits"), None)


def test_too_few_images_are_refused(run_of: RunOf, unlabelled: Path) -> None:
    for file in sorted(unlabelled.glob("*.png"))[: 21 - LEAST_IMAGES]:
        file.unlink()
    with pytest.raises(SfscError, match=f"15 images to calibrate int8 with, {LEAST_IMAGES} are needed"):
        calibration_set(run_of(), unlabelled)


@pytest.mark.parametrize("name", ["absent", "unlabelled/notes.txt"])
def test_what_holds_no_images_is_refused(run_of: RunOf, unlabelled: Path, name: str) -> None:
    with pytest.raises(SfscError):
        calibration_set(run_of(), unlabelled.parent / name)


def test_the_hash_tells_pixels_and_preprocessing_apart(run_of: RunOf, unlabelled: Path) -> None:
    first = calibration_set(run_of(), unlabelled)
    assert first.record() == calibration_set(run_of(), unlabelled).record()
    others = [
        calibration_set(run_of(preprocessing=PREPROCESSING.model_copy(update=changed)), unlabelled)
        for changed in ({"resize": "box"}, {"height": 24}, {"mean": (0.5, 0.5, 0.5)})
    ]
    one_pixel = first.images.copy()
    one_pixel[0, 0, 0, 0] ^= 1
    others += [replace(first, images=one_pixel), replace(first, images=np.flip(first.images, axis=-1))]
    assert len({found.record().sha256 for found in (first, *others)}) == 6
