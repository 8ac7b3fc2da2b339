"""`kgen verify`: the proof of a bundle, again, on this machine."""

import json
from typing import Annotated

import typer

from kgen_cli.application import say_error, say_note, settings
from kgen_cli.bundles import BUNDLE_HELP, ERROR_COLUMNS, error_rows, find, print_table
from kgen_cli.progress import telling
from kgen_cli.session import runtimes_hushed


def verify(
    ctx: typer.Context,
    bundle: Annotated[str, typer.Argument(metavar="DIR", help=BUNDLE_HELP)],
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print the errors of every file as JSON.")
    ] = False,
) -> None:
    """Run every file of a bundle on its golden inputs, and compare with what Keras drew."""
    folder = find(bundle, settings(ctx).runs_root)
    from kgen_exports.proof import prove
    from kgen_exports.runtime import load

    with runtimes_hushed(settings(ctx).debug), telling() as say:
        checks, skipped = prove(load(folder), say)
    if as_json:
        rows = [
            {
                "file": check.entry.path,
                "error": dict(check.entry.error),
                "picture": check.entry.picture,
                "problem": check.problem,
            }
            for check in checks
        ]
        typer.echo(json.dumps(rows, indent=2))
    else:
        print_table(ERROR_COLUMNS, error_rows(checks))
    for runtime, count in skipped.items():
        say_note(f"{count} files were not checked: {runtime} is not installed.")
    wrong = [check.entry.path for check in checks if check.problem is not None]
    if wrong:
        say_error(f"Not what the model draws: {', '.join(wrong)}.")
        raise typer.Exit(1)
    if not as_json:
        typer.echo(f"All {len(checks)} files of {folder} draw what the model draws.")
