"""The command line: one file per command, all of them thin. Only here are `rich` and `typer` known."""


def main() -> None:
    """Run `sfsc-deploy` and leave with its exit status."""
    try:
        from sfsc_deploy.cli.failures import crashed, told
        from sfsc_deploy.cli.intruders import refuse_intruders
    except KeyboardInterrupt:  # before there is anybody to tell it properly
        raise SystemExit(130) from None
    try:
        with told():
            refuse_intruders()
            from sfsc_deploy.cli.app import app
        app(prog_name="sfsc-deploy")
    except Exception:
        crashed()
