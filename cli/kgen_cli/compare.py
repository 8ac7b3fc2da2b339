"""`kgen compare`: which of several generators is better, and by more than the noise."""

from dataclasses import replace
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
from kgen_cli.options import with_options
from kgen_cli.progress import phases
from kgen_cli.several import start_drawing
from kgen_cli.targets import TARGET_HELP, Place, locate

if TYPE_CHECKING:
    from kgen.evaluation.record import Record


def judge(
    ctx: typer.Context,
    targets: Annotated[list[str], typer.Argument(metavar="A B...", help=TARGET_HELP)],
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
        Path, typer.Option(metavar="FILE", help="The page that shows them side by side.")
    ] = Path("comparison.html"),
    force: Force = False,
    values: dict[str, Any],
) -> None:
    """Set generators side by side, the others beside the first, and say what is more than noise.

    What is not evaluated yet, is; all on as many pictures as the slowest kind gets.
    """
    here = settings(ctx)
    asked = Asked.of(
        data=data, number=number, metrics=metrics, seed=seed, extractor=extractor,
        sampler=sampler, num_steps=num_steps, eta=eta, variance=variance,
    )  # fmt: skip
    if len(targets) < 2:
        raise typer.BadParameter(
            f"expected two or more. Received: {targets[0]}.", param_hint="'A B...'"
        )
    places = [locate(target, here.runs_root) for target in targets]
    if out.is_dir() or (out.exists() and not force):
        raise KgenError(
            f"--out takes a file that does not exist yet. Received: {out}. Choose another, or "
            "replace a file with --force."
        )
    start_drawing(values, debug=here.debug)
    from kgen.evaluation.report.compare import Comparison
    from kgen.evaluation.report.compare_page import page
    from kgen.files import write_text

    with phases() as progress, session.runtimes_hushed(here.debug):
        comparison = Comparison.of(_records(places, asked, progress))
    write_text(out, page(comparison))
    head, *rows = comparison.table()
    print_table(dict.fromkeys(head, "left"), [list(row) for row in rows])
    for sentence in (*comparison.summary(), *comparison.left_out):
        say_note(sentence)
    typer.echo(out)


compare = with_options(judge, computing)


def _records(places: list[Place], asked: Asked, progress: PhaseProgress) -> "list[Record]":
    """Evaluate what is not evaluated yet, all on the same number of pictures.

    An evaluation is read from where `kgen evaluate` puts it, if it is of the same protocol; others
    are kept apart, by their key, so that nothing of the user's is replaced.
    """
    from kgen.files import cache_folder

    # A sampler is for the ddpms; where there is none, the first of the others says so.
    plain = replace(asked, sampler={})
    some = bool(asked.sampler) and any(place.family == "ddpm" for place in places)
    opened = [
        Opened.of(place, plain if some and place.family != "ddpm" else asked, progress)
        for place in places
    ]
    requests = [one.request(asked) for one in opened]
    n = min(request.n for request in requests)
    records = []
    for one, request in zip(opened, requests, strict=True):
        request = replace(request, n=n)
        key = one.key(request)
        cached = cache_folder() / "evaluations" / key[:32]
        record = kept(one.place.folder, key) or kept(cached, key)
        if record is None:
            record = one.evaluate(request, progress)
            record.write(cached)
        records.append(record)
    return records
