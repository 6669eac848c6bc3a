"""`sfsc-deploy verify-compat`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sfsc_deploy.cli.console import notices, results
from sfsc_deploy.cli.json_output import JsonFile, write_json
from sfsc_deploy.cli.options import REPLACED, option
from sfsc_deploy.formats import known_suffixes

if TYPE_CHECKING:
    from sfsc_deploy.verification import Verdict

IMAGES, GATE, RUNNING, OUTPUT = "Images", "Gate", "Running", "Output"


def verify_compat(
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="SUBJECT",
            help=f"Two or more of: {known_suffixes()}, a run folder (runs/a, runs/a@0.5), "
            "recorded embeddings (.safetensors); or a folder, for all artifacts in it.",
        ),
    ],
    data: Annotated[
        Path | None,
        option("DIR|FILE.csv", "Labelled images for the cross-test.", default="those of the probe", panel=IMAGES),
    ] = None,
    gallery: Annotated[
        Path | None,
        option(
            "FILE.safetensors",
            "Embeddings of the gallery of --data that are stored already; one SUBJECT is enough then.",
            default="",
            panel=IMAGES,
        ),
    ] = None,
    probe: Annotated[
        Path | None,
        option("FILE", "The probe to try the artifacts on.", default="the one beside them", panel=IMAGES),
    ] = None,
    policy: Annotated[
        Path | None,
        option("FILE.toml", "Thresholds by precision (docs/verification.md).", default="built in", panel=GATE),
    ] = None,
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade",
            help="Two generations: the first SUBJECT, one artifact, embedded the gallery that stays, those of another "
            "space are new.",
            rich_help_panel=GATE,
        ),
    ] = False,
    fpr: Annotated[
        float | None,
        option(
            "RATE",
            "Try the threshold on scores that gives one artifact this false positive rate on all others.",
            default="not tried",
            panel=GATE,
        ),
    ] = None,
    anchor: Annotated[
        str | None,
        option(
            "SUBJECT",
            "The artifact that this threshold is tuned on.",
            default="the widest; of an upgrade, of the old ones",
            panel=GATE,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Leave with 1 for UNVERIFIED, too.", rich_help_panel=GATE)
    ] = False,
    max_batch: Annotated[
        int, typer.Option(metavar="N", min=1, help="Largest batch that is tried.", rich_help_panel=RUNNING)
    ] = 64,
    waterfall: Annotated[
        bool,
        typer.Option("--waterfall", help="Tell step by step where a loss comes from.", rich_help_panel=RUNNING),
    ] = False,
    run: Annotated[
        Path | None,
        option("RUN", "The run they came from, for --waterfall.", default="one among the subjects", panel=RUNNING),
    ] = None,
    json_file: JsonFile = None,
    report: Annotated[
        Path | None,
        option("FILE.html", f"Write a page with everything that was found; {REPLACED}.", default="", panel=OUTPUT),
    ] = None,
    junit: Annotated[
        Path | None, option("FILE.xml", f"Write the checks as JUnit test cases; {REPLACED}.", default="", panel=OUTPUT)
    ] = None,
    markdown: Annotated[
        Path | None, option("FILE.md", f"Write what matters to a pull request; {REPLACED}.", default="", panel=OUTPUT)
    ] = None,
) -> None:
    """Prove that artifacts are what was exported and embed into one space, or say what fails.

    Exit status: 0 PASS, 1 FAIL, 3 UNVERIFIED (something can't be run here: the command that completes it is told),
    2 wrong use. With --strict UNVERIFIED is 1 as well.
    """
    from sfsc_deploy.cli.verdict_shown import show
    from sfsc_deploy.cli.verify_paths import refuse_absent_gallery, refuse_outputs

    if gallery and (upgrade or not data):
        needs = "an upgrade has its stored gallery in SUBJECT" if upgrade else "its images are named with --data DIR"
        raise typer.BadParameter(needs, param_hint="--gallery")
    if gallery:
        refuse_absent_gallery(gallery)
    if upgrade and not data:
        raise typer.BadParameter("both generations are tried on the images of --data DIR", param_hint="--upgrade")
    refuse_outputs({"--json": json_file, "--report": report, "--junit": junit, "--markdown": markdown})
    chosen = Chosen(data, gallery, probe, policy, max_batch, run, waterfall, upgrade, fpr, anchor)
    verdict = _verify(subjects, chosen)
    show(verdict, results(json_file), waterfall=waterfall or run is not None)
    write_json(verdict.to_json(), json_file)
    _write_reports(verdict, report, junit, markdown)
    raise typer.Exit(1 if strict and verdict.exit_status else verdict.exit_status)


def _write_reports(verdict: "Verdict", page: Path | None, junit: Path | None, markdown: Path | None) -> None:
    from sfsc_deploy.files import write_text
    from sfsc_deploy.verification import report

    if page:
        write_text(page, report.page(verdict))
    if junit:
        write_text(junit, report.junit(verdict))
    if markdown:
        write_text(markdown, report.markdown(verdict))


class Chosen(NamedTuple):
    """The options that decide what is verified."""

    data: Path | None
    gallery: Path | None
    probe: Path | None
    policy: Path | None
    max_batch: int
    run: Path | None
    waterfall: bool
    upgrade: bool
    fpr: float | None
    anchor: str | None


def _verify(subjects: list[str], chosen: Chosen) -> "Verdict":
    from sfsc_deploy.cli.progress import progress
    from sfsc_deploy.data.layouts import open_dataset
    from sfsc_deploy.verification.folder import spread
    from sfsc_deploy.verification.policy import DEFAULT, read_policy
    from sfsc_deploy.verification.verify import verify

    limits = read_policy(chosen.policy) if chosen.policy else DEFAULT
    fleet = spread(subjects, upgrade=chosen.upgrade)
    images = open_dataset(chosen.data, with_train=False, check_images=False) if chosen.data else None
    with progress("Verifying", notices()) as shown:

        def on_progress(subject: str, check: str) -> None:
            shown(fleet.index(subject), len(fleet), f"{subject}: {check}")

        return verify(
            fleet,
            data=images,
            gallery=chosen.gallery,
            probe=chosen.probe,
            max_batch=chosen.max_batch,
            policy=limits,
            upgrade=chosen.upgrade,
            fpr=chosen.fpr,
            anchor=chosen.anchor,
            run=chosen.run,
            waterfall=chosen.waterfall,
            on_progress=on_progress,
        )
