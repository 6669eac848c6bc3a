"""A format is two entries and the two files that they name; nothing else knows of it."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from exporters.formats import FORMATS
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.exporting.run import export
from sfsc_deploy.formats import ARTIFACT_FORMATS, format_of, known_suffixes, written_suffix
from sfsc_deploy.verification.subject import FORMAT_OF, KINDS

CHECKOUT = Path(__file__).parents[1]


def test_what_can_be_written_can_be_opened() -> None:
    assert set(FORMATS) == set(ARTIFACT_FORMATS)


@pytest.mark.parametrize("name", ARTIFACT_FORMATS)
def test_each_entry_names_modules_that_are_there(name: str) -> None:
    known = ARTIFACT_FORMATS[name]
    readers = [known.precision] if known.precision else []
    pytest.importorskip("onnxruntime" if known.contract == "tensors" else "numpy")
    assert callable(import_module(known.runtime).open_artifact)
    assert all(callable(import_module(reader).read_precision) for reader in readers)


def test_no_two_formats_share_a_suffix_or_kind() -> None:
    suffixes = [suffix for known in ARTIFACT_FORMATS.values() for suffix in known.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert len(FORMAT_OF) == len(ARTIFACT_FORMATS)


def test_a_suffix_tells_the_format() -> None:
    assert format_of(".plan") is ARTIFACT_FORMATS["tensorrt"]
    assert format_of(".pt") is None
    assert (written_suffix("ort"), written_suffix("tensorrt")) == (".ort", ".engine")
    assert KINDS[".mlpackage"] == "package"
    assert known_suffixes() == ".onnx, .ort, .engine, .plan or .mlpackage"


def test_only_two_entries_and_two_files_know_of_ort() -> None:
    """They, and the reader of its precision: no other module names the format, its suffix or its kind."""
    sources = [
        path for package in ("sfsc_deploy", "exporters", "profiles") for path in (CHECKOUT / package).rglob("*.py")
    ]
    naming = {
        path.relative_to(CHECKOUT).as_posix()
        for path in sources
        if re.search(r"""\.?\bort["'`]""", path.read_text("utf-8"))
    }
    assert naming == {
        "sfsc_deploy/formats.py",
        "exporters/formats.py",
        "exporters/to_ort.py",
        "exporters/ort_precision.py",
    }


def test_an_unknown_format_is_refused_before_anything_is_sliced(tmp_path: Path) -> None:
    from profiles import load as load_profile

    profile = load_profile("server-cpu").model_copy(update={"format": "paper"})
    with pytest.raises(SfscError, match="format 'paper', which is unknown") as refusal:
        export(ExportTask(tmp_path / "nowhere", (profile,), tmp_path / "dist"))
    assert "onnx, ort, tensorrt, coreml" in refusal.value.remedy
