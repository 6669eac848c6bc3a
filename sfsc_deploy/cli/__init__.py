"""The command line: one file per command, all of them thin. Only here are `rich` and `typer` known."""

import sys

from sfsc_deploy.cli.interruption import interrupted, noting_interruption


def main() -> None:
    """Run `sfsc-deploy` and leave with its exit status."""
    with noting_interruption():
        _run()


def _run() -> None:
    try:
        from sfsc_deploy.cli.failures import crashed, told
        from sfsc_deploy.cli.intruders import refuse_intruders
    except BaseException:  # before there is anybody to tell it properly
        if not interrupted():
            raise
        sys.stderr.write("Interrupted.\n")
        raise SystemExit(130) from None
    try:
        with told():
            refuse_intruders()
            from sfsc_deploy.cli.app import app

            app(prog_name="sfsc-deploy")
    except Exception:
        crashed()
