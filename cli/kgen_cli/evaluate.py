"""`kgen evaluate`: how good the pictures of a run, of exported files or of a folder are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgen.errors import KgenError
from kgen_cli import session
from kgen_cli.application import say_note, settings
from kgen_cli.bundles import print_table
from kgen_cli.evaluating import (
    Asked,
    Data,
    Eta,
    ExtractorName,
    Force,
    Metrics,
    Number,
    NumSteps,
    Opened,
    PhaseProgress,
    SamplerName,
    Seed,
    VarianceName,
    computing,
    kept,
)  # fmt: skip
from kgen_cli.options import dim, with_options
from kgen_cli.progress import phases
from kgen_cli.several import start_drawing
from kgen_cli.targets import TARGET_HELP, Place, locate

if TYPE_CHECKING:
    from kgen.evaluation.record import Record

COLUMNS = {
    "": "left", "value": "right", "sd": "right", "real": "right", "Gaussian": "right",
    "better": "left",
}  # fmt: skip


def judge(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", help=TARGET_HELP)],
    *,
    data: Data = None,
    number: Number = None,
    metrics: Metrics = "",
    seed: Seed = 0,
    extractor: ExtractorName = "auto",
    sampler: SamplerName = None,
    num_steps: NumSteps = None,
    eta: Eta = None,
    variance: VarianceName = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", show_default=False,
            help="Folder of the report."
            + dim(" [default: evaluation/ in the run; evaluation-NAME/ here for anything else]"),
        ),
    ] = None,
    force: Force = False,
    values: dict[str, Any],
) -> None:  # fmt: skip
    """Measure how good pictures are: each number with its noise, a floor and a bar to beat."""
    here = settings(ctx)
    asked = Asked.of(
        data=data, number=number, metrics=metrics, seed=seed, extractor=extractor,
        sampler=sampler, num_steps=num_steps, eta=eta, variance=variance,
    )  # fmt: skip
    place = locate(target, here.runs_root)
    folder = out or place.folder
    start_drawing(values, debug=here.debug)
    with phases() as progress, session.runtimes_hushed(here.debug):
        record = _evaluated(place, asked, folder, force, progress)
    print_table(COLUMNS, rows(record))
    for warning in record.findings.warnings:
        say_note(warning)
    typer.echo(folder / "report.html")


evaluate = with_options(judge, computing)


def _evaluated(
    place: Place, asked: Asked, folder: Path, force: bool, progress: PhaseProgress
) -> "Record":
    """Evaluate and write the report, or read it, if it is there already.

    Raises:
        KgenError: the folder holds something else, or whatever goes wrong on the way.
    """
    from kgen.evaluation.record import METRICS, REPORT
    from kgen.evaluation.report.page import page
    from kgen.files import write_text

    opened = Opened.of(place, asked, progress)
    request = opened.request(asked)
    record = kept(folder, opened.key(request))
    if record is not None:
        return record
    if not force and folder.exists() and (folder.is_file() or any(folder.iterdir())):
        what = "another evaluation" if (folder / METRICS).is_file() else "something else"
        raise KgenError(
            f"An evaluation is written to an empty folder. Received: {folder}, which holds {what}. "
            "Choose another with --out, or replace it with --force."
        )
    record = opened.evaluate(request, progress)
    record.write(folder)
    write_text(folder / REPORT, page(record))
    return record


def rows(record: "Record") -> list[list[str]]:
    """Write the numbers of an evaluation as rows of the table."""
    from kgen.evaluation.report import catalogue

    found = []
    for name, value in record.findings.values.items():
        entry = catalogue.value(name, record.protocol.extractor)
        cells = (value.value, value.sd, value.floor, value.bar)
        texts = ["-" if cell is None else entry.write(cell) for cell in cells]
        found.append([entry.label, *texts, entry.direction])
    return found
