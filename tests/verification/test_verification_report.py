"""The reports: well-formed, complete, and safe whatever an artifact is called."""

import math
import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sfsc_deploy.cli.app import app
from sfsc_deploy.metrics import Interval
from sfsc_deploy.verification import Artifact, Cell, Check, Finding, Status, Verdict
from sfsc_deploy.verification.exhibits import Exhibits, Found, LostQuery, Picture, WorstRow
from sfsc_deploy.verification.exhibits.gathering import SIDE, png
from sfsc_deploy.verification.fidelity import COSINES
from sfsc_deploy.verification.report import junit, markdown, page
from sfsc_deploy.verification.report.histogram import histogram
from sfsc_deploy.verification.report.pull_request import code, text
from sfsc_deploy.verification.verdict import PolicySource, failed, measured, passed, unverified

HOSTILE = "<script>alert('1')</script>&\"|`` [x](http://x) \x1b\x00\udcff"
NAMES = ("dist/a.onnx", "dist/b.engine", HOSTILE)
VOID = {"meta", "img"}
ROWS = (1.0, 1 - 1e-12, 0.9999, 0.2, -1.0, math.nan)


class Document(HTMLParser):
    """Checks that elements are closed in order, and collects what is asked of them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def fleet(status: Status = Status.FAIL) -> Verdict:
    """Three artifacts, one of a hostile name, with a check of each status up to the worst one."""
    artifacts = tuple(Artifact(name, "onnx", "f" * 64, 0.5, "float16", None, None) for name in NAMES)
    fidelity = measured(True, "Cosines.", 0.99999, 0.9999, {COSINES: ROWS})
    checks = [Check.of("readable", name, passed(f"Opened {name}.")) for name in NAMES]
    checks.append(Check.of("fidelity", NAMES[0], fidelity))
    if status is not Status.PASS:
        checks.append(Check.of("built", NAMES[1], unverified("To be built.", f"trtexec --onnx='{HOSTILE}'")))
    if status is Status.FAIL:
        checks.append(Check.of("criterion", NAMES[2], failed(f"Worse than {HOSTILE}."), NAMES[0]))
    shown = Picture(HOSTILE, png(np.zeros((200, 100, 3), np.uint8)))
    lost = LostQuery(shown, 1, 7, Found(shown, True), Found(shown, False))
    rows = (WorstRow(NAMES[0], 3, 0.2, HOSTILE, shown), WorstRow(NAMES[0], 5, 0.3, "beyond the most", None))
    exhibits = Exhibits(rows, (NAMES[2], NAMES[0]), NAMES[0], (lost,))
    cells = (Cell(NAMES[0], NAMES[0], 0.81, 0.9, Interval(0.7, 0.9), 40), Cell(NAMES[2], NAMES[0], 0.5, 0.6, None, 40))
    return Verdict(
        artifacts, tuple(checks), cells, f"probe {HOSTILE}", PolicySource("strict.toml", "ab" * 32), (), exhibits
    )


def nothing() -> Verdict:
    return Verdict((), ())


@pytest.mark.parametrize("status", Status)
def test_the_page_tells_the_verdict_first_and_every_check(status: Status) -> None:
    verdict = fleet(status)
    document = Document(page(verdict))
    words = " ".join(document.words)
    assert document.words[0] == f"{status.value}: verify-compat"  # the title, then the first heading
    headline = next(part for part in document.words[1:] if part.startswith(f"{status.value}: "))
    assert words.index(headline) < words.index("Fleet") < words.index("Cross-tests") < words.index("Every check")
    for check in verdict.checks:
        assert check.name in document.words
        assert (check.why if HOSTILE not in check.why else check.why.split("<")[0]) in words
    assert "trtexec" in words or status is Status.PASS
    assert "ab" * 32 in words


def test_the_page_tells_each_cause_before_the_tables_and_none_where_nothing_stands_against_it() -> None:
    words = Document(page(fleet())).words
    before = words[: words.index("Fleet")]
    assert "To be built." in before
    assert any(part.startswith("trtexec --onnx=") for part in before)
    assert before.index("FAIL") < before.index("UNVERIFIED")
    assert "What stands against it" not in Document(page(fleet(Status.PASS))).words


@pytest.mark.parametrize("verdict", [*map(fleet, Status), nothing()])
def test_the_page_needs_nothing_but_itself_and_runs_nothing(verdict: Verdict) -> None:
    source = page(verdict)
    document = Document(source)
    assert not {"script", "link", "iframe", "object", "a"} & {name for name, _ in document.elements}
    attributes = {attribute for _, given in document.elements for attribute in given}
    assert not {name for name in attributes if name.startswith("on") or name == "href"}
    sources = [given["src"] or "" for _, given in document.elements if "src" in given]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "url(" not in source
    assert "@import" not in source
    assert "prefers-color-scheme: dark" in source
    assert source.encode("utf-8")


def test_the_worst_are_shown_with_their_images() -> None:
    document = Document(page(fleet()))
    pictures = [given for name, given in document.elements if name == "img"]
    assert len(pictures) == 4  # a row; a query, what it found, and what it finds
    for given in pictures:
        shown = Image.open(BytesIO(b64decode((given["src"] or "").partition(",")[2])))
        assert shown.size == (SIDE // 2, SIDE)
    words = " ".join(document.words)
    assert "right; first match at rank 1" in words
    assert "wrong; first match at rank 7" in words
    assert "beyond the most" not in words


def test_the_matrix_is_coloured_and_what_misses_the_criterion_is_marked() -> None:
    cells = [given for name, given in Document(page(fleet())).elements if name == "td" and "style" in given]
    assert len(cells) == 2
    assert [given.get("class") for given in cells] == [None, "below"]
    assert cells[0]["style"] != cells[1]["style"]
    words = Document(page(fleet())).words
    assert {"81.0", "70.0 to 90.0", "rank-1 90.0", "▼ 50.0", "no interval"} <= set(words)


def test_what_is_unverified_or_failed_lies_open() -> None:
    def opened(status: Status) -> list[bool]:
        return ["open" in given for name, given in Document(page(fleet(status))).elements if name == "details"]

    assert opened(Status.FAIL) == [True, True, True]  # the criterion concerns both sides
    assert opened(Status.UNVERIFIED) == [False, True, False]
    assert opened(Status.PASS) == [False, False, False]


def test_a_histogram_counts_every_row_and_shows_a_single_wrong_one() -> None:
    rows = [1.0] * 500 + [0.5]
    drawing = Document(histogram(rows, 0.9999))
    heights = [float(given["height"] or 0) for name, given in drawing.elements if name == "rect"]
    counts = [int(words.removesuffix(" rows")) for words in drawing.words if words.endswith(" rows")]
    assert sum(counts) == 501
    assert counts[0] == 500
    assert [height for height, count in zip(heights, counts, strict=True) if count == 1] == [3.0]


@pytest.mark.parametrize("rows", [ROWS, (math.nan,), (-1.0,), (2.0,)])
def test_a_histogram_loses_no_row_however_odd(rows: tuple[float, ...]) -> None:
    words = Document(histogram(rows, 1.0)).words
    assert sum(int(text.removesuffix(" rows")) for text in words if text.endswith(" rows")) == len(rows)


@pytest.mark.parametrize("status", Status)
def test_junit_has_a_case_for_each_check_with_its_outcome(status: Status) -> None:
    verdict = fleet(status)
    root = ElementTree.fromstring(junit(verdict))
    cases = root.findall("./testsuite/testcase")
    outcomes = [len(root.findall(f".//{name}")) for name in ("failure", "skipped")]
    found = [check.status for check in verdict.checks]
    assert len(cases) == int(root.attrib["tests"]) == len(verdict.checks)
    assert outcomes == [found.count(Status.FAIL), found.count(Status.UNVERIFIED)]
    assert [int(root.attrib["failures"]), int(root.attrib["skipped"])] == outcomes
    assert len(root.findall("testsuite")) == len(verdict.artifacts)


def test_junit_tells_reason_and_command_of_what_is_skipped() -> None:
    root = ElementTree.fromstring(junit(fleet(Status.UNVERIFIED)))
    skipped = root.find(".//skipped")
    assert skipped is not None
    assert skipped.attrib["message"].startswith("To be built. Next: trtexec --onnx='<script>")
    policy = root.find(".//property[@name='thresholds']")
    assert policy is not None
    assert "ab" * 32 in policy.attrib["value"]


@pytest.mark.slow
def test_a_browser_shows_the_page_and_complains_of_nothing(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    (tmp_path / "report.html").write_text(page(fleet()), encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={tmp_path}")
    shown = tmp_path / "shown.png"
    command = [browser, *options, f"--screenshot={shown}", (tmp_path / "report.html").as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in result.stderr
    assert shown.stat().st_size > 10_000  # an empty page has less


def test_junit_of_nothing_is_well_formed() -> None:
    assert ElementTree.fromstring(junit(nothing())).attrib["tests"] == "0"


def test_markdown_tells_the_verdict_first_and_every_check_in_a_table_that_holds() -> None:
    verdict = fleet()
    lines = markdown(verdict).splitlines()
    assert lines[0].startswith("## ❌ FAIL: 1 of 6 checks failed.")
    folded = lines[lines.index("<details><summary>All 6 checks</summary>") : lines.index("</details>")]
    rows = [line for line in folded if line.startswith("| ")][2:]
    assert [row.split(" | ")[1] for row in rows] == [check.name for check in verdict.checks]
    assert {row.replace("\\|", "").count("|") for row in rows} == {9}
    assert "ab" * 32 in lines[-1]


@pytest.mark.parametrize("source", [HOSTILE, "a|b", "*a*", "@someone", "a\n# b", "``", "a`b``c`"])
def test_markdown_takes_no_name_for_its_own(source: str) -> None:
    assert "\n" not in text(source) + code(source)
    for special in "<|*@[":
        assert text(source).count(special) == text(source).count("\\" + special)
    fence = code(source)[: len(code(source)) - len(code(source).lstrip("`"))]
    assert code(source).strip("`").count(fence) == 0
    assert code(source).count("|") == code(source).count("\\|")


def test_markdown_of_nothing_says_so() -> None:
    assert "No cross-test could be measured." in markdown(nothing())


@pytest.mark.parametrize("write", [page, junit, markdown])
@pytest.mark.parametrize("value", [math.nan, math.inf, 3, "float16", None])
def test_any_figure_can_be_told(write: object, value: float | str | None) -> None:
    finding = replace(failed("So."), value=value, threshold=value)
    assert isinstance(finding, Finding)
    verdict = replace(fleet(), checks=(Check.of("norm", NAMES[0], finding),))
    assert callable(write)
    assert write(verdict).encode("utf-8")


def test_the_command_writes_them(exported: Path, tmp_path: Path) -> None:
    subjects = [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")]
    files = {option: tmp_path / option.strip("-") for option in ("--report", "--junit", "--markdown")}
    options = [str(part) for pair in files.items() for part in pair]
    result = CliRunner().invoke(app, ["verify-compat", *subjects, *options])
    assert result.exit_code == 0, result.output
    document = Document(files["--report"].read_text(encoding="utf-8"))
    assert document.count("svg") == 4  # a histogram and a waterfall each
    assert any(words.startswith("PASS: 2 artifacts") for words in document.words)
    assert ElementTree.parse(files["--junit"]).getroot().attrib["failures"] == "0"
    assert files["--markdown"].read_text(encoding="utf-8").startswith("## ✅ PASS")
