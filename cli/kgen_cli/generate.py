"""`kgen generate`: pictures from exported files alone, without Keras."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kgen_cli import diffusion
from kgen_cli.application import settings
from kgen_cli.bundles import BUNDLE_HELP, find
from kgen_cli.destination import choose
from kgen_cli.options import dim
from kgen_cli.progress import counting
from kgen_cli.request import MAX_SEED
from kgen_cli.session import runtimes_hushed

DIFFUSION = "DDPM"
"""Heading of the help."""


class Runtime(StrEnum):
    """What runs the files."""

    ONNXRUNTIME = "onnxruntime"
    LITERT = "litert"


class Device(StrEnum):
    """Where they run."""

    CPU = "cpu"
    GPU = "gpu"


class Precision(StrEnum):
    """Which of the files."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    INT8_STATIC = "int8-static"


def generate(
    ctx: typer.Context,
    bundle: Annotated[str, typer.Argument(metavar="DIR", help=BUNDLE_HELP)],
    number: Annotated[
        int, typer.Option("-n", "--number", min=1, max=10**6, metavar="INT", help="Pictures.")
    ] = 16,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, metavar="INT", help="Seed of the noise.")
    ] = 0,
    precision: Annotated[
        Precision, typer.Option(metavar="NAME", help="fp32 | fp16 | int8 | int8-static.")
    ] = Precision.FP32,
    runtime: Annotated[
        Runtime | None,
        typer.Option(
            metavar="NAME", show_default=False,
            help="onnxruntime | litert." + dim(" [default: what is installed]"),
        ),
    ] = None,
    device: Annotated[
        Device, typer.Option(metavar="NAME", help="cpu, or gpu (onnxruntime with CUDA).")
    ] = Device.CPU,
    num_steps: Annotated[int | None, diffusion.num_steps(DIFFUSION, "as exported")] = None,
    eta: Annotated[float | None, diffusion.eta(DIFFUSION, "as exported")] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", show_default=False,
            help="A .png (one grid), a folder (a file per picture) or a .npz (arrays)."
            + dim(" [default: a .png in the current folder]"),
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Write over what is at --out.")
    ] = False,
) -> None:  # fmt: skip
    """Draw pictures with the files of a bundle, and print where they are."""
    folder = find(bundle, settings(ctx).runs_root)
    steps = diffusion.given(num_steps=num_steps, eta=eta)
    shown = "".join(f"-{key.replace('_', '-')}-{value:g}" for key, value in steps.items())
    name = f"{folder.resolve().name}-{precision.value}{shown}-seed{seed}"
    destination = choose(out, Path(), name, "sample", force)
    from kgen_cli.drawing import Drawing
    from kgen_exports.runtime import load

    options: dict[str, Any] = {"precision": precision.value, "device": device.value}
    with runtimes_hushed(settings(ctx).debug), counting("drawing") as progress:
        images = load(folder).generate(
            number, seed=seed, progress=progress,
            runtime=None if runtime is None else runtime.value, **options, **steps,
        )  # fmt: skip
    for path in destination.write(Drawing(images=images)):
        typer.echo(path)
