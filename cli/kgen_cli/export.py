"""`kgen export`: a run's networks as ONNX and TFLite files, proven to draw the same."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kgen.families import FAMILIES
from kgen.run import Run
from kgen_cli import diffusion
from kgen_cli.application import say_error, settings
from kgen_cli.bundles import ERROR_COLUMNS, EXPORT_FOLDER, error_rows, print_table
from kgen_cli.diffusion import Sampler, Variance, given
from kgen_cli.options import dim, names, valued
from kgen_cli.progress import telling
from kgen_cli.sample import _complete_run
from kgen_cli.session import runtimes_hushed

WHAT, SAMPLER, OUTPUT = "What", "Sampler (DDPM)", "Output"


RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help=f"Folder of a run, or a family ({', '.join(FAMILIES)}) for its newest run.",
        autocompletion=_complete_run,
    ),
]
Onnx = Annotated[bool, typer.Option("--onnx", metavar="", rich_help_panel=WHAT, help="Write ONNX.")]
TFLite = Annotated[
    bool,
    typer.Option(
        "--tflite", metavar="", rich_help_panel=WHAT,
        help="Write TFLite." + dim(" [default: without --onnx and --tflite, both]"),
    ),
]  # fmt: skip
Precisions = Annotated[
    str | None,
    valued(
        "--precision", text="Of fp32, fp16, int8, int8-static (not for DDPM), with commas.",
        default="fp32,fp16,int8", panel=WHAT, metavar="NAME,...",
    ),
]  # fmt: skip
Parts = Annotated[
    str | None,
    valued(
        "--parts",
        text="GAN: generator, discriminator. AE, VAE: decoder, encoder. DDPM: denoiser, sampler.",
        default="all but the discriminator", panel=WHAT, metavar="NAME,...",
    ),
]  # fmt: skip
Batch = Annotated[
    int,
    typer.Option(
        min=1, max=1024, metavar="INT", rich_help_panel=WHAT,
        help="Pictures in a call of the files with a fixed batch: TFLite, and ONNX named .bN.",
    ),
]  # fmt: skip
Opset = Annotated[
    int, typer.Option(min=15, max=18, metavar="INT", rich_help_panel=WHAT, help="ONNX opset.")
]
Fidelity = Annotated[
    bool,
    typer.Option(
        "--fidelity", metavar="", rich_help_panel=WHAT,
        help="Write fidelity.onnx too, for torch-fidelity (not for DDPM): z to bytes.",
    ),
]  # fmt: skip
SamplerName = Annotated[
    Sampler | None, diffusion.sampler(SAMPLER, "Sampler in the bundle's table and sampler file.")
]
NumSteps = Annotated[int | None, diffusion.num_steps(SAMPLER, default="20, ddpm all")]
Eta = Annotated[
    float | None,
    diffusion.eta(SAMPLER, default="0", text="Noise of dpmpp and ddim, an input of the file"),
]
VarianceName = Annotated[Variance | None, diffusion.variance(SAMPLER)]
Out = Annotated[
    Path | None,
    valued(text="Folder of the bundle.", default=f"RUN/{EXPORT_FOLDER}", panel=OUTPUT,
            metavar="DIR"),
]  # fmt: skip
Force = Annotated[
    bool,
    typer.Option("--force", metavar="", rich_help_panel=OUTPUT, help="Write over a bundle there."),
]


def export(
    ctx: typer.Context,
    run: RunName,
    *,
    onnx: Onnx = False,
    tflite: TFLite = False,
    precision: Precisions = None,
    parts: Parts = None,
    batch: Batch = 1,
    opset: Opset = 17,
    fidelity: Fidelity = False,
    sampler: SamplerName = None,
    num_steps: NumSteps = None,
    eta: Eta = None,
    variance: VarianceName = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Export a run to ONNX and TFLite, and prove that the files draw the same pictures."""
    from kgen_exports.job import Job

    opened = Run.open(run, root=settings(ctx).runs_root)
    formats = tuple(name for name, on in (("onnx", onnx), ("tflite", tflite)) if on)
    job = Job(
        run=str(opened.path),
        family=opened.config.family,
        **({"formats": formats} if formats else {}),
        **({"precisions": names(precision)} if precision is not None else {}),
        parts=names(parts) if parts is not None else (),
        sampler=given(sampler=sampler, num_steps=num_steps, eta=eta, variance=variance),
        batch=batch,
        opset=opset,
        fidelity=fidelity,
    )
    _export(job, out or opened.path / EXPORT_FOLDER, force, settings(ctx).debug)


def _export(job: Any, out: Path, force: bool, debug: bool) -> None:
    """Export, and say how far every file is from the model."""
    from kgen_exports.export import export
    from kgen_exports.fidelity import FILE_NAME as FIDELITY

    with runtimes_hushed(debug), telling() as say:
        done = export(job, out, force=force, say=say)
    print_table(ERROR_COLUMNS, error_rows([*done.passed, *done.refused]))
    typer.echo(f"Bundle:   {done.path}")
    typer.echo(f"Pictures: kgen generate {done.path}")
    if job.fidelity:
        typer.echo(f"Fidelity: {done.path / FIDELITY}")
    if done.refused:
        paths = ", ".join(check.entry.path for check in done.refused)
        say_error(f"Not in the bundle, being too far from the model: {paths}. See the table.")
        raise typer.Exit(1)
