"""Real photographs and drawings, read as they were published."""

import csv
from pathlib import Path

from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.data.layouts import open_dataset

COUNTS = {
    "grocery": {"train": (54, 2625), "query": (27, 423), "gallery": (27, 803)},
    "omniglot_small": {"train": (163, 3260), "query": (79, 316), "gallery": (79, 1264)},
}


def test_real_images_are_read_whole(real_data: Path) -> None:
    data = open_dataset(real_data)
    splits = {"train": data.train, "query": data.query, "gallery": data.gallery}
    assert {name: (len(split.identities), len(split)) for name, split in splits.items()} == COUNTS[real_data.name]


def test_labels_are_those_of_the_manifest(real_data: Path) -> None:
    with (real_data / "manifest.csv").open(encoding="utf-8") as lines:
        listed = {row["path"]: (row["identity"], int(row["camera"])) for row in csv.DictReader(lines)}
    data = open_dataset(real_data, check_images=False)
    for split in (data.train, data.query, data.gallery):
        assert split.camera is not None
        for source, *label in zip(split.sources, split.identity, split.camera, strict=True):
            assert isinstance(source, Path)
            assert listed.pop(source.relative_to(real_data).as_posix()) == tuple(label)
    assert not listed


def test_queries_are_loaded_at_one_size(real_data: Path) -> None:
    query = open_dataset(real_data, check_images=False).query
    images = query.load(Preprocessing(height=16, width=24))
    assert images.shape == (len(query), 16, 24, 3)
    assert images.std() > 20
