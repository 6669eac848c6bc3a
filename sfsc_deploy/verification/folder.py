"""A folder of artifacts, given to be verified: what stands in it for each device."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from exporters.build_recipe import RECIPE_SUFFIX
from sfsc_deploy.artifact import read_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.formats import written_suffix
from sfsc_deploy.run_folder import RECIPE, is_probe, parse
from sfsc_deploy.unfinished import Note
from sfsc_deploy.verification.subject import KINDS

_ENGINE = written_suffix("tensorrt")


def spread(names: Sequence[str], *, upgrade: bool = False) -> tuple[str, ...]:
    """Put what a folder holds in its place: the artifact of each device once, sorted.

    So are those that an export was to write which was stopped: they belong to the fleet, though they aren't there.

    An engine stands for the ONNX file that it is built from, also while it is still to be built; embeddings that were
    recorded on the device stand for an engine that is not in the folder, unless they are of an earlier export. Run
    folders stay what they are.

    Args:
        names: as the user wrote them.
        upgrade: whether the first one embedded a stored gallery: then it is one artifact, and a folder that holds it,
            too, adds the others.

    Raises:
        SfscError: a folder that holds nothing to verify; of an upgrade, a first one that holds several artifacts.
    """
    if upgrade and names:
        return tuple(_generations(names))
    return tuple(found for name in names for found in _held(name))


def _generations(names: Sequence[str]) -> Iterator[str]:
    stored = _only(names)
    yield stored
    for name in names[1:]:
        repeated = Path(stored).resolve() if _is_fleet(name) else None
        yield from (found for found in _held(name) if Path(found).resolve() != repeated)


def _only(names: Sequence[str]) -> str:
    """The artifact that embedded the stored gallery: which of several it was, nobody but the user knows."""
    held = _held(names[0])
    if len(held) > 1:
        first, rest = names[0], " ".join(names[1:])
        raise SfscError(
            f"{first} holds {len(held)} artifacts: {', '.join(Path(found).name for found in held)}. Which of them "
            "embedded the stored gallery can't be told from a folder.",
            f"Name the artifact that embedded the stored gallery first, then the folders: --upgrade {Path(first)}/"
            f"ARTIFACT {first} {rest}".rstrip(),
        )
    return held[0]


def _held(name: str) -> list[str]:
    return _artifacts(Path(name)) if _is_fleet(name) else [name]


def _is_fleet(name: str) -> bool:
    folder, width = parse(name)
    return width is None and folder.is_dir() and folder.suffix not in KINDS and not (folder / RECIPE).exists()


def _artifacts(folder: Path) -> list[str]:
    present = [path for path in folder.iterdir() if path.suffix in KINDS and not _is_no_artifact(path)]
    sources = {recipe.name.removesuffix(RECIPE_SUFFIX) for recipe in folder.glob(f"*{RECIPE_SUFFIX}")}
    chosen = [path for path in present if path.suffix != ".onnx" or path.stem not in sources]
    at_hand = {_stem(path) for path in chosen if KINDS[path.suffix] == "engine" or _stands_for_engine(path)}
    chosen += [folder / (name + _ENGINE) for name in sources - at_hand]
    pending = [folder / name for name in Note.of(folder).pending if Path(name).suffix in KINDS]
    unwritten = {_stem(path) for path in pending}
    chosen = [path for path in chosen if _stem(path) not in unwritten] + pending
    if not chosen:
        raise SfscError(
            f"{folder} holds nothing to verify: neither artifacts nor a run.",
            f"Export into it: sfsc-deploy export --profile ... --out {folder}",
        )
    return sorted(map(str, chosen))


def _stands_for_engine(path: Path) -> bool:
    """Whether embeddings are of the engine that is to be built beside them.

    What can't be read is taken for such: verification tells what is wrong with it.
    """
    from sfsc_deploy.runtime.recorded import RecordedEmbedder

    if KINDS[path.suffix] != "recorded":
        return False
    try:
        with RecordedEmbedder(path) as recorded:
            ran = recorded.sidecar
        expected = read_sidecar(path.with_name(_stem(path) + _ENGINE)) if ran and ran.format == "tensorrt" else None
    except SfscError:
        return True
    return ran is not None and expected is not None and ran.description() == expected.description()


def _stem(path: Path) -> str:
    """The name of a device; a kit records `a.engine` as `a.engine.safetensors` where another `a` is in it."""
    inner = Path(path.stem)
    return inner.stem if KINDS.get(inner.suffix) == "engine" else path.stem


def _is_no_artifact(path: Path) -> bool:
    return is_probe(path.name) or path.name.startswith(".")
