"""The command `sfsc-deploy` and its sub-commands; nothing heavy is imported before one of them runs."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sfsc_deploy import __version__
from sfsc_deploy.cli import build, compare, doctor, embed, evaluate, export, kit, profiles, train, verify_compat
from sfsc_deploy.cli.failures import leave_interrupted, told

VERBS = "The three verbs"
HELPERS = "Beside them"


class Commands(TyperGroup):
    """Runs the chosen command and tells what the user can mend."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line; to typer an interruption of that would be a failure, with its exit status."""
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt:
            leave_interrupted()

    def invoke(self, ctx: Any) -> Any:
        """Run the command that `ctx` was parsed to."""
        with told():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train", rich_help_panel=VERBS)(train.train)
app.command("export", rich_help_panel=VERBS)(export.export)
app.command("verify-compat", rich_help_panel=VERBS)(verify_compat.verify_compat)
app.command("build", rich_help_panel=HELPERS)(build.build)
app.command("compare", rich_help_panel=HELPERS)(compare.compare)
app.command("kit", rich_help_panel=HELPERS)(kit.kit)
app.command("embed", rich_help_panel=HELPERS)(embed.embed)
app.command("eval", rich_help_panel=HELPERS)(evaluate.evaluate)
app.add_typer(profiles.app, name="profiles", rich_help_panel=HELPERS)
app.command("doctor", rich_help_panel=HELPERS)(doctor.doctor)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sfsc-deploy {__version__}")
        raise typer.Exit


@app.callback()
def sfsc_deploy(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave."),
    ] = False,
) -> None:
    """Train one network for all devices, export its sub-models, and prove that they are compatible.

    Without arguments [bold]train[/bold] uses a drawn data set and [bold]export[/bold] the latest run, so
    that three lines show everything:

        sfsc-deploy train
        sfsc-deploy export --profile server-cpu --profile raspberry-pi
        sfsc-deploy verify-compat dist/server-cpu.onnx dist/raspberry-pi.onnx
    """
