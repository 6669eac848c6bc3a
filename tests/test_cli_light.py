"""`--help` answers at once, and on a machine that has none of the extras."""

import os
import subprocess
import sys
import textwrap

import pytest

from sfsc_deploy.extras import EXTRA_OF

HEAVY = (
    "torch",
    "onnx",
    "onnxruntime",
    "coremltools",
    "tensorrt",
    "matplotlib",
    "faiss",
    "kornia",
    "pytorch_metric_learning",
    "numpy",
    "pydantic",
)
SECONDS_TO_HELP = 0.3

HELP_OF_ALL = """
    import contextlib, io, sys
    sys.modules.update({blocked})
    import typer
    from sfsc_deploy.cli.app import app

    def helps(command, path):
        assert (command.help or "").strip(), path
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            command.main(["--help"], prog_name=" ".join(path), standalone_mode=False)
        assert "Usage" in shown.getvalue(), path
        for name, child in getattr(command, "commands", {{}}).items():
            helps(child, [*path, name])

    helps(typer.main.get_command(app), ["sfsc-deploy"])
    print(*sorted(name for name, module in sys.modules.items() if module is not None))
"""


def run_python(program: str) -> set[str]:
    """The words that a program prints last, run in an interpreter of its own."""
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())


def test_help_of_every_command_imports_nothing_heavy() -> None:
    imported = run_python(HELP_OF_ALL.format(blocked={}))
    assert "sfsc_deploy.cli.app" in imported
    assert imported.isdisjoint(HEAVY)


def test_the_test_above_can_fail() -> None:
    imported = run_python("import numpy\n" + textwrap.dedent(HELP_OF_ALL.format(blocked={})))
    assert "numpy" in imported


def test_help_of_every_command_works_without_any_extra() -> None:
    blocked = dict.fromkeys(EXTRA_OF)
    run_python(HELP_OF_ALL.format(blocked=blocked))


WRONG_USE = """
    import contextlib, io, sys
    sys.argv = ["sfsc-deploy", {arguments}]
    from sfsc_deploy.cli import main
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()) as told:
        main()
    assert {named!r} in told.getvalue(), told.getvalue()
    print(*sorted(sys.modules))
"""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--method", "sfcs"], "method: 'sfcs' is not one of sfsc, joint"),
        (["train", "--loss", "arkface"], "did you mean arcface?"),
        (["train", "--arch", "resnet19"], "did you mean resnet18?"),
        (["train", "--epochs", "0"], "epochs: 0 should be greater than 0"),
        (["train", "--device", "gpu"], "device: 'gpu' is not one of"),
        (["train", "--recipe", "nowhere.toml"], "nowhere.toml can't be read"),
        (["train", "--data", "nowhere"], "nowhere doesn't exist"),
        (["train", "--init", "nowhere.pth"], "nowhere.pth can't be read"),
        (["train", "--resume", "nowhere"], "nowhere is not a run folder"),
        (["train", "--compatible-with", "nowhere"], "nowhere is not a run folder"),
        (["compare", "--methods", "sfcs"], "did you mean sfsc?"),
        (["compare", "--arch", "resnet19"], "did you mean resnet18?"),
        (["export", "nowhere", "--profile", "androit"], "Did you mean android?"),
        (["export", "nowhere", "--profile", "android", "--precision", "int4"], "in precision 'int4'"),
        (["export", "nowhere", "--profile", "android", "--width", "0"], "There is no sub-model of width 0"),
        (["export", "nowhere", "--profile", "android", "--out", sys.executable], "is a file, not a folder"),
        (["train", "--out", f"{sys.executable}/run"], "is a file, not a folder"),
        (["compare", "--out", sys.executable], "is a file, not a folder"),
        (["compare", "--methods", ""], "Method '' is not one of"),
        (["verify-compat", "a.onnx", "b.onnx", "--report", "/"], "/ is a folder, not a file"),
        (["verify-compat", "a.onnx", "b.onnx", "--junit", f"{sys.executable}/a.xml"], "is a file, not a folder"),
        (["verify-compat", "a.onnx", "b.onnx", "--report", "r", "--json", "./r"], "--json and --report both name r"),
        (
            ["verify-compat", "a.onnx", "b.onnx", "--junit", "r", "--markdown", "r"],
            "--junit and --markdown both name r",
        ),
        (["verify-compat", "a.onnx", "--gallery", "no.safetensors", "--data", "d"], "no.safetensors does not exist"),
        (["verify-compat", "a.onnx", "--gallery", "/", "--data", "d"], "/ is not a file of stored embeddings"),
        (["embed", "a.onnx", "--out", "a.txt"], "end in .safetensors"),
        (["embed", "a.onnx", "--out", f"{sys.executable}/a.safetensors"], "is a file, not a folder"),
        (["eval", "nowhere.onnx"], "nowhere.onnx does not exist"),
        (["export", "nowhere", "--profile", "android"], "nowhere is not a run folder"),
    ],
)
def test_wrong_use_is_told_before_torch_is_imported(arguments: list[str], named: str) -> None:
    imported = run_python(WRONG_USE.format(arguments=", ".join(map(repr, arguments)), named=named))
    assert "torch" not in imported


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs the processor time of a child process")
def test_help_answers_at_once() -> None:
    assert min(_seconds_of_help() for _ in range(3)) < SECONDS_TO_HELP


def _seconds_of_help() -> float:
    """Processor seconds, which the load of the machine leaves alone."""
    child = subprocess.Popen([sys.executable, "-m", "sfsc_deploy", "--help"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime
