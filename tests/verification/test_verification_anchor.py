"""The artifact on which the threshold of a fleet is tuned: which it is, and which it can't be."""

import shutil
from pathlib import Path

import pytest

from fleet import portraits
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.errors import SfscError
from sfsc_deploy.verification import Artifact
from sfsc_deploy.verification.operating_point import chosen_anchor, refuse_new_anchor, refuse_senseless
from sfsc_deploy.verification.verify import verify


def artifact(name: str, width: float | None, precision: str | None, space: str | None = "f" * 64) -> Artifact:
    return Artifact(name, "onnx", space, width, precision, None, None)


def test_the_anchor_is_the_widest_and_of_equal_ones_the_most_precise() -> None:
    fleet = (
        artifact("unknown", None, None),
        artifact("narrow", 0.5, "float32"),
        artifact("int8", 1.0, "mixed (float32: 2, int8: 10)"),
        artifact("half", 1.0, "float16"),
        artifact("full", 1.0, "float32"),
        artifact("full again", 1.0, "float32"),
    )
    names = [each.name for each in fleet]
    assert chosen_anchor(fleet, names) == "full"
    assert chosen_anchor(fleet, [name for name in names if "full" not in name]) == "half"
    assert chosen_anchor(fleet, ["narrow", "int8"]) == "int8"
    assert chosen_anchor(fleet, []) is None


def test_of_an_upgrade_the_anchor_is_of_the_old_generation() -> None:
    """The threshold in the field was tuned there, however wide the new ones are."""
    fleet = (
        artifact("old", 0.5, "int8", "s"),
        artifact("old too", 0.75, "int8", "s"),
        artifact("new", 1.0, "float32", "t"),
    )
    names = [each.name for each in fleet]
    assert chosen_anchor(fleet, names) == "new"
    assert chosen_anchor(fleet, names, upgrade=True) == "old too"
    assert chosen_anchor(fleet, ["new"], upgrade=True) is None
    assert chosen_anchor((artifact("unknown", 1.0, "float32", None), *fleet), names, upgrade=True) is None


def test_an_anchor_of_the_new_generation_is_refused() -> None:
    spaces = {"old": "s", "unknown": None, "new": "t"}
    with pytest.raises(SfscError, match="new is of the new generation") as refused:
        refuse_new_anchor("new", spaces)
    assert refused.value.remedy == "The threshold in the field was tuned on the old one. Name one of: old."
    for anchor in ("old", "unknown", None):
        refuse_new_anchor(anchor, spaces)
    refuse_new_anchor("new", {"unknown": None, "new": "t"})


@pytest.mark.parametrize("known_before", [True, False], ids=["by its sidecar", "by what it holds"])
def test_an_anchor_is_known_as_new_with_or_without_a_sidecar(
    exported: Path, exported_hastily: Path, tmp_path: Path, known_before: bool
) -> None:
    new = exported_hastily / "android.onnx"
    if not known_before:
        new = Path(shutil.copy(new, tmp_path))
    data = DataSet("portraits", None, Split(), portraits(range(10), range(2)), portraits(range(10), range(2, 4)))
    seen: list[str] = []
    with pytest.raises(SfscError, match="is of the new generation"):
        verify(
            [str(exported / "server-cpu.onnx"), str(new)],
            data=data,
            upgrade=True,
            fpr=0.05,
            anchor=str(new),
            on_progress=lambda subject, check: seen.append(check),
        )
    assert ("readable" in seen) is not known_before
    assert "criterion" not in seen


def test_an_anchor_must_be_a_subject_and_needs_a_rate() -> None:
    with pytest.raises(SfscError, match="none of the subjects"):
        refuse_senseless(0.01, "c", ["a", "b"])
    with pytest.raises(SfscError, match="no rate"):
        refuse_senseless(None, "a", ["a", "b"])
