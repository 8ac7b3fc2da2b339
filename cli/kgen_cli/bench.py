"""`kgen bench`: how fast a bundle's files are on this machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgen.errors import KgenError
from kgen.files import write_text
from kgen.run import CONFIG, Run
from kgen_cli.application import say_note, settings
from kgen_cli.bundles import BUNDLE_HELP, find, print_table
from kgen_cli.options import dim
from kgen_cli.progress import telling
from kgen_cli.session import runtimes_hushed
from kgen_cli.text import size

if TYPE_CHECKING:
    from kgen_exports.bench import Speed
    from kgen_exports.manifest import Manifest

SCHEMA = "kgen-bench-1"
COLUMNS = {
    "file": "left", "work": "left", "threads": "right", "size": "right", "load": "right",
    "first run": "right", "median": "right", "quartiles": "right", "images/s": "right",
    "x Keras": "right",
}  # fmt: skip


def bench(
    ctx: typer.Context,
    bundle: Annotated[str, typer.Argument(metavar="DIR", help=BUNDLE_HELP)],
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", show_default=False,
            help="The run that was exported, to compare with Keras."
            + dim(" [default: the one that the bundle names]"),
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, max=1024, metavar="INT", show_default=False,
            help="Threads of the CPU." + dim(" [default: 1, and all cores]"),
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1, max=10**6, metavar="INT", show_default=False,
            help="Runs of every file." + dim(" [default: 50, fewer of slow ones]"),
        ),
    ] = None,
    as_json: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", show_default=False,
            help="Write all that was measured as JSON; - prints it in place of the table.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Measure size, load time and speed of every file, beside Keras where the run is here."""
    root = settings(ctx).runs_root
    folder = find(bundle, root)
    from kgen_exports.bench import measure
    from kgen_exports.runtime import load

    opened = load(folder)
    found, note = _run(run, folder, opened.manifest, root)
    with runtimes_hushed(settings(ctx).debug), telling() as say:
        speeds, skipped = measure(
            opened,
            threads=() if threads is None else (threads,),
            repeats=repeats,
            run=None if found is None else found.path,
            say=say,
        )
    if as_json is not None:
        values = _document(folder, opened.manifest, found, speeds)
        text = json.dumps(values, indent=2) + "\n"
        if as_json == "-":
            typer.echo(text, nl=False)
        else:
            write_text(Path(as_json), text)
    if as_json != "-":
        print_table(COLUMNS, [_cells(speed, opened.manifest) for speed in speeds])
    for runtime, count in skipped.items():
        say_note(f"{count} files were not measured: {runtime} is not installed.")
    if note is not None:
        say_note(note)


def _run(
    name: str | None, folder: Path, manifest: "Manifest", root: Path
) -> tuple[Run | None, str | None]:
    """Find the run of a bundle, or say why there is no comparison with Keras.

    Raises:
        KgenError: `name` names no finished run of the bundle's kind.
    """
    wanted = str(manifest.training.get("run"))
    if name is not None:
        run = Run.open(name, root=root)
        problem = _unfit(run, manifest)
        if problem is not None:
            raise KgenError(f"--run takes the run that was exported, {wanted}. Received: {problem}")
        return run, None
    # An export lies in its run, unless it was moved.
    for path in (folder.resolve().parent, root / Path(wanted).name):
        if path.name == wanted and (path / CONFIG).is_file():
            run = Run.open(path)
            problem = _unfit(run, manifest)
            return (run, None) if problem is None else (None, f"No ratio to Keras: {problem}")
    return None, (
        f"No ratio to Keras: the run {wanted} is not under {root}/. Name its folder with --run."
    )


def _unfit(run: Run, manifest: "Manifest") -> str | None:
    """Say why a run is not the one that was exported, or None."""
    if run.config.family != manifest.kind:
        return f"{run.path}, a {run.config.family}, for a bundle of a {manifest.kind}."
    if not run.model_file.is_file():
        return f"{run.path}, which is not finished."
    return None


def _document(
    folder: Path, manifest: "Manifest", run: Run | None, speeds: "list[Speed]"
) -> dict[str, Any]:
    """Collect what was measured, and on what."""
    import platform

    return {
        "schema": SCHEMA,
        "bundle": str(folder),
        "kind": manifest.kind,
        "steps": manifest.sampler.num_steps if manifest.sampler else None,
        "machine": {"system": platform.platform(), "processor": platform.machine()},
        "keras_run": None if run is None else str(run.path),
        "files": [asdict(speed) for speed in speeds],
    }


def _cells(speed: "Speed", manifest: "Manifest") -> list[str]:
    """Write what the table shows of a file."""
    steps = manifest.sampler.num_steps if manifest.sampler else 0
    work = f"loop of {steps} calls" if speed.work == "loop" else "call"
    return [
        speed.path,
        work if speed.batch == 1 else f"{work} of {speed.batch}",
        str(speed.threads),
        size(speed.bytes),
        *(f"{_ms(value)} ms" for value in (speed.load_ms, speed.first_ms, speed.median_ms)),
        f"{_ms(speed.q1_ms)}-{_ms(speed.q3_ms)}",
        f"{speed.images_per_second:,.0f}",
        "-" if speed.ratio is None else f"{speed.ratio:.2f}",
    ]


def _ms(value: float) -> str:
    """Write milliseconds with three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
