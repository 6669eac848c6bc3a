"""`sfsc-deploy kit`: all that a device needs to answer, in one archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfsc_deploy.cli.console import results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import option
from sfsc_deploy.errors import SfscError
from sfsc_deploy.formats import known_suffixes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfsc_deploy.kit.contents import Content


def kit(
    artifacts: Annotated[
        list[Path],
        typer.Argument(
            metavar="ARTIFACT",
            help=f"{known_suffixes()}; of an engine that is yet to be built, its ONNX file or its recipe.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        option("FILE.zip", "Where the kit goes.", default="beside the first, named after it", panel="Files"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a kit of the same name.", rich_help_panel="Files")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Pack artifacts for their device, with their probe and what runs them there: Python, numpy and a runtime do.

    On the device python3 run.pyz records what they embed; verify-compat takes these recordings. A kit holds the images
    of the probe.
    """
    from sfsc_deploy.files import refuse_unwritable
    from sfsc_deploy.kit.contents import content_of
    from sfsc_deploy.kit.names import README
    from sfsc_deploy.kit.packing import SUFFIX, pack, readme
    from sfsc_deploy.unfinished import refuse_pending

    for artifact in artifacts:
        refuse_pending(artifact)
    contents = list({content.artifact.resolve(): content for content in map(content_of, artifacts)}.values())
    target = out or contents[0].artifact.with_suffix(SUFFIX)
    refuse_unwritable(target)
    if target.exists() and not overwrite:
        raise SfscError(f"{target} exists already.", "Choose another --out, or allow it with --overwrite.")
    pack(contents, target)
    told = f"{target}: {_listed(contents)}\n\nOn the device, in the folder into which it is unpacked ({README} in it):"
    results(json_file).print(f"{told}\n\n{readme(contents)}", soft_wrap=True, end="")
    write_json({"file": target, "artifacts": [_facts(content) for content in contents]}, json_file)


def _listed(contents: "Sequence[Content]") -> str:
    return ", ".join(f"{each.artifact.name}{' (built there)' if each.recipe else ''}" for each in contents)


def _facts(content: "Content") -> dict[str, object]:
    return {
        "artifact": content.artifact,
        "kind": content.kind,
        "built_there": content.recipe is not None,
        "unknown": content.unknown,
    }
