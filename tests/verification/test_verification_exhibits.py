"""The worst rows and queries are found, named, and shown; and a page of many artifacts stays small."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faults import operate, scaled_layer
from fleet import IDENTITIES, portraits
from samples import PREPROCESSING, sample_probe
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.metrics import Labels, Retrieval
from sfsc_deploy.verification import Check, Verdict
from sfsc_deploy.verification.cross_test import Contestant, cross_test
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.exhibits.gathering import MOST_ARTIFACTS, MOST_ROWS, Album, worst_rows
from sfsc_deploy.verification.exhibits.lost import (
    MOST_QUERIES,
    WeakestPair,
    first_of,
    furthest_back,
    lost_queries,
    weakest_pair,
)
from sfsc_deploy.verification.fidelity import COSINES
from sfsc_deploy.verification.probes import ProbeAtHand
from sfsc_deploy.verification.report import page
from sfsc_deploy.verification.verdict import measured
from sfsc_deploy.verification.verify import verify

PROBE = sample_probe()  # rows: query, gallery, query, gallery, pattern
ALBUM = Album(PROBE, None, PREPROCESSING)
UNIT = np.eye(8, dtype=np.float32)


def rows_of(query: list[int], gallery: list[int], cameras: tuple[list[int], list[int]] | None = None) -> Rows:
    """Two queries, two gallery images, of identities 0 and 1; each embedded as one of the unit vectors."""
    identity = np.array([0, 1])
    query_labels, gallery_labels = (
        Labels(identity, None if cameras is None else np.array(camera)) for camera in (cameras or (None, None))
    )
    return Rows("sample", UNIT[query], UNIT[gallery], query_labels, gallery_labels)


def found(a: Rows, b: Rows) -> tuple[str, list[tuple[int, int, str, bool]]]:
    """Queries of b in the gallery of a."""
    known = {"a": Contestant("a", "s", a), "b": Contestant("b", "s", b)}
    weaker, lost = lost_queries(WeakestPair("b", "a"), known, ALBUM)
    return weaker, [
        (each.rank_before, each.rank_now, each.found_now.picture.name, each.found_now.right) for each in lost
    ]


def test_a_query_that_fell_back_is_shown_with_what_it_found_and_finds() -> None:
    a, b = rows_of([0, 1], [0, 1]), rows_of([1, 0], [1, 0])
    weaker, lost = found(a, b)
    assert weaker == "b"
    assert lost == [
        (1, 2, "row 3, gallery image of identity 1 by camera 2", False),
        (1, 2, "row 1, gallery image of identity 0 by camera 2", False),
    ]


def test_where_none_fell_back_none_is_shown() -> None:
    same = rows_of([0, 1], [0, 1])
    assert found(same, same)[1] == []


def ranked(*first_match: int) -> Retrieval:
    return Retrieval(np.ones(len(first_match)), np.array(first_match))


def test_those_that_fell_back_furthest_come_first_and_are_few() -> None:
    before, now = ranked(1, 1, 5, 2, 1, 1, 3, 0), ranked(2, 9, 4, 2, 4, 3, 8, 0)
    assert list(furthest_back(before, now)) == [1, 6, 4, 5]
    assert MOST_QUERIES == 4


def test_of_equal_scores_the_wrong_one_comes_first_as_in_the_measurement() -> None:
    rows = rows_of([0, 1], [0, 0])
    assert [first_of(rows, rows, row, ALBUM).right for row in (0, 1)] == [False, False]


def test_an_image_of_the_same_camera_is_not_what_was_found() -> None:
    labels = Labels(np.array([0, 0, 1]), np.array([1, 2, 2]))
    query = Labels(np.array([0]), np.array([1]))
    probe = replace(
        sample_probe(),
        images=np.concatenate([PROBE.images[:4], PROBE.images[4:]]),
        identity=np.array([0, 0, 0, 1, -1]),
        camera=np.array([1, 1, 2, 2, 0]),
        is_query=np.array([True, False, False, False, False]),
    )
    a = Rows("sample", UNIT[[0]], UNIT[[0, 0, 1]], query, labels)
    b = Rows("sample", UNIT[[1]], UNIT[[1, 1, 2]], query, labels)
    known = {"a": Contestant("a", "s", a), "b": Contestant("b", "s", b)}
    _, (lost,) = lost_queries(WeakestPair("b", "a"), known, Album(probe, None, PREPROCESSING))
    assert lost.found_now.picture.name == "row 3, gallery image of identity 1 by camera 2"
    assert lost.found_before.picture.name == "row 2, gallery image of identity 0 by camera 2"
    assert (lost.found_before.right, lost.found_now.right) == (True, False)


def test_the_weakest_pair_is_that_of_the_report() -> None:
    def check(subject: str, gallery: str, value: float) -> Check:
        return Check.of("criterion", subject, measured(True, "", value, 0.0), gallery)

    assert weakest_pair([check("a", "b", 0.1), check("b", "a", -0.2), check("a", "c", 0.0)]) == WeakestPair("b", "a")
    assert weakest_pair([]) is None


def test_a_pair_that_fails_goes_before_one_that_passes_with_less() -> None:
    """Points of mAP and of rank-1 aren't the same, and limits aside they would be compared."""
    passes = Check.of("criterion", "a", measured(True, "", -0.045, 0.0, {"measure": "mAP"}), "b")
    fails = Check.of("criterion", "b", measured(False, "", -0.04, -0.01, {"measure": "rank-1"}), "a")
    assert weakest_pair([passes, fails]) == WeakestPair("b", "a", by_rank1=True)


def test_the_weaker_side_is_that_by_what_decided() -> None:
    def found(average_precision: float, rank: int) -> Retrieval:
        return Retrieval(np.array([average_precision]), np.array([rank]))

    low_map, low_rank1 = found(0.4, 1), found(0.5, 2)
    by = {by_rank1: WeakestPair("a", "b", by_rank1).quality for by_rank1 in (False, True)}
    assert min(low_map, low_rank1, key=by[False]) is low_map
    assert min(low_map, low_rank1, key=by[True]) is low_rank1


def test_pictures_are_of_few_artifacts_and_the_names_of_all() -> None:
    at_hand = ProbeAtHand(Path("probe.safetensors"), PROBE)
    fleet = {
        f"{number}": (measured(True, "", 0.9, 0.9, {COSINES: (1.0, 1 - number / 100, 0.999, 0.9999, 1.0)}), at_hand)
        for number in range(MOST_ARTIFACTS + 3)
    }
    rows = worst_rows(fleet)
    assert len(rows) == MOST_ROWS * len(fleet)
    assert {row.artifact for row in rows if row.picture} == {f"{number}" for number in range(3, MOST_ARTIFACTS + 3)}
    assert [row.cosine for row in rows if row.artifact == "9"] == sorted((0.91, 0.999, 0.9999, 1.0))
    assert rows[0].name == "row 2, query of identity 1 by camera 1"


def test_what_fidelity_did_not_measure_has_no_rows() -> None:
    assert worst_rows({"a": (measured(False, "", 0, 1), None)}) == ()


@pytest.fixture
def broken(dist: Path) -> Verdict:
    operate(dist / "server-cpu.onnx", scaled_layer(3))
    return verify([str(dist / "server-cpu.onnx"), str(dist / "raspberry-pi.onnx")])


def test_a_fleet_is_shown_with_its_worst(broken: Verdict, check_of: Callable[..., Check]) -> None:
    artifact = broken.artifacts[0].name
    fidelity = check_of(broken, artifact, "fidelity")
    worst = next(row for row in broken.exhibits.rows if row.artifact == artifact)
    assert (worst.row, worst.cosine) == (fidelity.details["worst_row"], fidelity.value)
    document = broken.to_json()["worst"]
    assert document["rows"][0]["row"] == worst.row
    assert worst.name in page(broken)


def test_images_of_the_user_are_told_by_their_files(dist: Path, tmp_path: Path) -> None:
    data = on_disk(tmp_path / "images")
    operate(dist / "server-cpu.onnx", scaled_layer(30))
    verdict = verify([str(dist / "server-cpu.onnx"), str(dist / "raspberry-pi.onnx")], data=data)
    names = [query.query.name for query in verdict.exhibits.lost]
    assert names
    assert all(name.startswith("query-") and ".png, 00" in name for name in names)


def on_disk(folder: Path) -> DataSet:
    folder.mkdir()

    def split(kind: str, numbers: range) -> Split:
        drawn = portraits(range(IDENTITIES), numbers)
        files = []
        for place, source in enumerate(drawn.sources):
            assert isinstance(source, bytes)
            files.append(folder / f"{kind}-{place}.png")
            files[-1].write_bytes(source)
        return replace(drawn, sources=tuple(files))

    return DataSet("files", folder, Split(), split("query", range(20, 22)), split("gallery", range(22, 25)))


def test_cross_tests_and_exhibits_agree_on_what_is_lost() -> None:
    a, b = rows_of([0, 1], [0, 1]), rows_of([1, 0], [1, 0])
    cells, _ = cross_test([Contestant("a", "s", a), Contestant("b", "s", b)])
    assert next(cell.rank1 for cell in cells if (cell.query, cell.gallery) == ("b", "a")) == 0


def test_a_page_of_eight_artifacts_stays_below_a_megabyte(broken: Verdict) -> None:
    """Their pictures are the largest there can be: noise."""
    from sfsc_deploy.verification.exhibits import Picture
    from sfsc_deploy.verification.exhibits.gathering import SIDE, png

    noise = png(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    rows = tuple(
        replace(broken.exhibits.rows[0], picture=Picture("noise", noise)) for _ in range(MOST_ARTIFACTS * MOST_ROWS)
    )
    shown = replace(broken, exhibits=replace(broken.exhibits, rows=rows))
    assert len(page(shown)) < 1_000_000


def test_where_rank_1_decided_only_lost_first_matches_are_shown() -> None:
    before, now = (Retrieval(np.full(4, 0.5), np.array(ranks)) for ranks in ([29, 1, 1, 2], [40, 3, 1, 9]))
    assert list(furthest_back(before, now)) == [0, 3, 1]
    assert list(furthest_back(before, now, first_alone=True)) == [1]
