"""How every command ends: its output, or one line that says what went wrong.

Exit status: 0 done; 1 an error, one line on stderr; 2 a command line that cannot be parsed; 130
stopped by Ctrl-C (in training also by SIGTERM, after saving).
"""

import os
import re
import shlex
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from kgen.errors import KgenError

STOPPED = 130

# Typer exports one leaf of the tree of usage errors; the parent of that leaf is the root of all.
USAGE_ERROR: Any = typer.BadParameter.__mro__[1]

# How the backends say that a device's memory is full; their exceptions have no common base.
_OUT_OF_MEMORY = re.compile(r"RESOURCE_EXHAUSTED|out of memory|OOM when allocating", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options that stand before a command.

    Attributes:
        runs_root: folder in which runs are made and looked for.
        debug: whether errors show their traceback and backends their log.
    """

    runs_root: Path
    debug: bool


class Application(TyperGroup):
    """The root command: turns whatever goes wrong below it into one line and an exit status."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the commands as they are used: training comes first."""
        return sorted(super().list_commands(ctx), key=lambda name: name != "train")

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Parse and run; a command line that cannot be parsed is one line and status 2."""
        try:
            status = super().main(*args, standalone_mode=False, **extra)
        except USAGE_ERROR as error:
            # Without arguments Typer prints the help and raises an error without a message.
            message = error.format_message().strip().replace("Value error, ", "")
            if message:
                stop = "" if message.endswith((".", "?")) else "."
                say_error(f"{message}{stop} {_see_help(error)}")
            status = error.exit_code
        if standalone_mode:
            sys.exit(status if isinstance(status, int) else 0)
        return status

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and its exceptions' last stop."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, USAGE_ERROR, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(STOPPED) from None
        except Exception as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            say_error(describe(error))
            raise typer.Exit(1) from error


def describe(error: Exception) -> str:
    """Say in one sentence what an exception means to the user, and what to do."""
    if isinstance(error, KgenError):
        return str(error)
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return (
            f"Out of memory ({_first_line(error)}). "
            "Use a smaller --batch-size, --image-size or network."
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error} ({type(error).__name__})."
    return (
        f"{_first_line(error)} -- this is a bug in kgen or in a package it uses. "
        f"The traceback: {_debug_command()}"
    )


def say_error(message: str) -> None:
    """Print an error on one line of stderr, red where that shows."""
    line = re.sub(r"\s*[\r\n]\s*", " ", message.strip())
    typer.echo(typer.style("Error:", fg="red", bold=True) + f" {line}", err=True)


def say_note(message: str) -> None:
    """Print something worth knowing on stderr, so that stdout holds results only."""
    typer.echo(f"Note: {message}", err=True)


def settings(ctx: typer.Context) -> Settings:
    """Return the options that stood before the command."""
    found = ctx.find_object(Settings)
    if found is None:
        raise TypeError("The root command did not leave its Settings.")
    return found


def _first_line(error: Exception) -> str:
    """Name an exception's type and the first line of its message, not all of a long one."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _see_help(error: Any) -> str:
    """Point to the help of the command that could not be parsed."""
    return f"See: {error.ctx.command_path} --help" if error.ctx else ""


def _debug_command() -> str:
    """Write the command as it was given, with --debug."""
    name = os.path.basename(sys.argv[0])
    program = name if name == "kgen" else "kgen"
    return shlex.join([program, "--debug", *sys.argv[1:]])
