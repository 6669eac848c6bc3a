"""What the user can mend is told in a paragraph, with the remedy and without a traceback."""

import errno
import signal
import subprocess
import sys

import pytest

from exporters.errors import ExportError
from profiles.errors import ProfileError
from sfsc_deploy.cli import main
from sfsc_deploy.cli.failures import BROKEN_PIPE, DEFECT, INTERRUPTED, WRONG_USE, explain, told
from sfsc_deploy.errors import Interrupted, SfscError
from sfsc_deploy.extras import EXTRA_OF, install_command
from trainer.errors import TrainerError


def told_of(error: BaseException) -> int:
    """The exit status after an error."""
    with pytest.raises(SystemExit) as left, told():
        raise error
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize("kind", [SfscError, TrainerError, ExportError, ProfileError])
def test_own_errors_are_told_with_their_remedy(
    kind: type[SfscError | TrainerError | ExportError | ProfileError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told_of(kind("No images in /somewhere.", "Name another folder.")) == WRONG_USE
    assert capsys.readouterr().err == "No images in /somewhere.\n→ Name another folder.\n"


def test_an_error_without_remedy_shows_no_arrow(capsys: pytest.CaptureFixture[str]) -> None:
    told_of(SfscError("Nothing to be done."))
    assert capsys.readouterr().err == "Nothing to be done.\n"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "Free some space"), (errno.EACCES, "choose another place"), (errno.EROFS, "read-only")],
)
def test_errors_of_the_system_name_the_file(number: int, remedy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told_of(OSError(number, "It went wrong", "/some/file")) == WRONG_USE
    shown = capsys.readouterr().err
    assert shown.startswith("It went wrong: /some/file\n→ ")
    assert remedy in shown


@pytest.mark.parametrize("module", EXTRA_OF)
def test_a_missing_module_names_its_extra(module: str) -> None:
    failure = explain(ModuleNotFoundError(f"No module named {module!r}", name=f"{module}.part"))
    assert failure is not None
    assert failure.remedy == install_command(EXTRA_OF[module])


def test_a_missing_module_of_nobody_is_a_defect() -> None:
    assert explain(ModuleNotFoundError("No module named 'nobody'", name="nobody")) is None


def test_an_interruption_is_told_shortly(capsys: pytest.CaptureFixture[str]) -> None:
    assert told_of(KeyboardInterrupt()) == INTERRUPTED
    assert capsys.readouterr().err == "Interrupted.\n"


STOPPED_IN = """
import os, signal
from sfsc_deploy.cli import main

def stopped(*_args, **_settings):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass
    except KeyboardInterrupt as stop:
        raise {error} from stop

import {module} as place
place.{name} = stopped
main()
"""


@pytest.mark.parametrize("error", ["AttributeError('partially initialized')", "RuntimeError", "NameError", "stop"])
@pytest.mark.parametrize(
    ("module", "name"),
    [("sfsc_deploy.cli.intruders", "refuse_intruders"), ("sfsc_deploy.doctor.machine", "describe")],
    ids=["start", "command"],
)
def test_whatever_comes_of_ctrl_c_is_an_interruption(module: str, name: str, error: str) -> None:
    answer = run_main(STOPPED_IN.format(module=module, name=name, error=error), "doctor")
    assert (answer.returncode, answer.stderr) == (INTERRUPTED, "Interrupted.\n")


@pytest.mark.parametrize("error", ["typer.Exit(1)", "SfscError('Wrong.')"])
def test_a_verdict_after_ctrl_c_is_none(error: str) -> None:
    program = "import typer\nfrom sfsc_deploy.errors import SfscError\n" + STOPPED_IN
    answer = run_main(program.format(module="sfsc_deploy.doctor.machine", name="describe", error=error), "doctor")
    assert (answer.returncode, answer.stderr) == (INTERRUPTED, "Interrupted.\n")


def test_what_says_how_to_go_on_is_told_after_ctrl_c() -> None:
    program = "from sfsc_deploy.errors import Interrupted\n" + STOPPED_IN
    error = "Interrupted('Stopped.', 'Go on.')"
    answer = run_main(program.format(module="sfsc_deploy.doctor.machine", name="describe", error=error), "doctor")
    assert (answer.returncode, answer.stderr) == (INTERRUPTED, "Stopped.\n→ Go on.\n")


@pytest.mark.parametrize("name", ["failures", "app"])
def test_ctrl_c_while_the_command_line_is_imported_leaves_no_traceback(name: str) -> None:
    program = (
        "import os, signal, sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'sfsc_deploy.cli.{name}':\n"
        "            try:\n"
        "                os.kill(os.getpid(), signal.SIGINT)\n"
        "                while True: pass\n"
        "            except KeyboardInterrupt: raise NameError from None\n"
        "sys.meta_path.insert(0, Stop())\n"
        "from sfsc_deploy.cli import main\n"
        "main()\n"
    )
    answer = run_main(program, "doctor")
    assert (answer.returncode, answer.stderr) == (INTERRUPTED, "Interrupted.\n")


def test_ctrl_c_while_the_arguments_are_read_is_no_failure() -> None:
    program = STOPPED_IN.format(module="sfsc_deploy.cli.app", name="typer.echo", error="stop")
    answer = run_main(program, "--version")
    assert (answer.returncode, answer.stderr) == (INTERRUPTED, "Interrupted.\n")


def run_main(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of its own that calls `main` with `arguments`, and that hears Ctrl-C even where tests don't."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, preexec_fn=hear_ctrl_c)


def hear_ctrl_c() -> None:
    """What a shell starts in the background is deaf to it, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_training_run_that_was_stopped_is_no_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert told_of(Interrupted("Stopped after step 3.", "Go on with --resume.")) == INTERRUPTED
    assert capsys.readouterr().err == "Stopped after step 3.\n→ Go on with --resume.\n"


def test_debugging_shows_the_traceback_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SFSC_DEBUG", "1")
    assert told_of(SfscError("Wrong.", "Mend it.")) == WRONG_USE
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.endswith("Wrong.\n→ Mend it.\n")


def test_a_defect_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), told():
        raise ZeroDivisionError


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sfsc_deploy.cli.intruders.refuse_intruders", fail)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == DEFECT
    shown = capsys.readouterr().err
    assert "ZeroDivisionError" in shown
    assert "please report it" in shown


def test_wrong_use_exits_with_2_and_no_traceback() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "sfsc_deploy", "doctor", "--no-such-option"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == WRONG_USE
    assert "No such option" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("output", ["print('x' * 100_000, flush=True)", "results().print('x' * 100_000)"])
def test_a_reader_that_has_gone_is_no_error(output: str) -> None:
    program = (
        "import sys\n"
        "from sfsc_deploy.cli.console import results\n"
        "from sfsc_deploy.cli.failures import told\n"
        "with told():\n"
        "    sys.stdin.read()\n"  # until the reader of our output has closed it
        f"    {output}\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    with child.stdin, child.stdout, child.stderr:
        child.stdout.close()
        child.stdin.close()
        assert child.wait(timeout=60) == BROKEN_PIPE
        assert child.stderr.read() == b""
