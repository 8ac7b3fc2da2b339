"""The `kgen` command: its global options and its commands."""

from pathlib import Path
from typing import Annotated

import typer

from kgen import __version__
from kgen_cli import app as app_command
from kgen_cli import (
    bench,
    compare,
    doctor,
    evaluate,
    export,
    generate,
    lint,
    runs,
    sample,
    train,
    verify,
)  # fmt: skip
from kgen_cli.application import Application, Settings

app = typer.Typer(
    cls=Application,
    name="kgen",
    help="Train GANs, VAEs and diffusion models on JAX, TensorFlow or PyTorch, and ship them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(train.app, name="train")
app.command("sample")(sample.sample)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("export")(export.export)
app.command("verify")(verify.verify)
app.command("generate")(generate.generate)
app.command("app")(app_command.app)
app.command("bench")(bench.bench)
app.command("runs")(runs.runs)
app.command("lint")(lint.lint)
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"kgen {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    runs_root: Annotated[
        Path, typer.Option(envvar="KGEN_RUNS", metavar="DIR", help="Folder of the runs.")
    ] = Path("runs"),
    debug: Annotated[
        bool,
        typer.Option("--debug", metavar="", help="Show tracebacks and the backends' messages."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", help="Print the version.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Keep the global options for the commands."""
    ctx.obj = Settings(runs_root=runs_root, debug=debug)


def main() -> None:
    """Run the command line of this process."""
    app(prog_name="kgen")


if __name__ == "__main__":
    main()
