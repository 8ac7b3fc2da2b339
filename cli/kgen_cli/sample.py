"""`kgen sample`: pictures from a trained run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kgen.families import FAMILIES
from kgen.option import Option
from kgen.run import CONFIG, Run
from kgen_cli import diffusion
from kgen_cli.application import say_note, settings
from kgen_cli.destination import Destination, choose
from kgen_cli.diffusion import Sampler, Variance, given
from kgen_cli.options import config_options, flag, numbered, valued, with_options
from kgen_cli.request import MAX_SEED, NUMBER, Request, check, default_name
from kgen_cli.several import drawing_devices, start_drawing
from kgen_cli.shards import FormatName, NumProcesses, ProcessId, Shards, ShardSize, settle

LATENT, DIFFUSION, OUTPUT = "GAN, AE, VAE", "DDPM", "Output"
"""Headings of the help."""


def _complete_run(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer families and run folders to the shell."""
    root = Path(ctx.find_root().params.get("runs_root") or "runs")
    names = [*FAMILIES, *(str(config.parent) for config in sorted(root.glob(f"*/{CONFIG}")))]
    return (name for name in names if name.startswith(incomplete))


_numbers = ", ".join(f"{mode} {count}" for mode, count in NUMBER.items())

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help=f"Folder of a run, or a family ({', '.join(FAMILIES)}) for its newest run.",
        autocompletion=_complete_run,
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Picture files for --reconstruct, --variations, --interpolate; "
        "two seeds for a GAN's --interpolate.",
    ),
]
Number = Annotated[
    int | None,
    numbered(
        "-n", "--number", limits=Option(help="Pictures.", low=1, high=10**6), default=_numbers
    ),
]
Seed = Annotated[
    int,
    numbered(limits=Option(help="Seed of the noise.", low=0, high=MAX_SEED), default="0"),
]
Reconstruct = Annotated[
    bool,
    flag("--reconstruct", "Pictures, and below them what the model makes of them.", LATENT),
]
Variations = Annotated[
    bool, flag("--variations", "Pictures similar to one picture (first).", LATENT)
]
Interpolate = Annotated[
    bool, flag("--interpolate", "The way from one picture, or seed, to another.", LATENT)
]
Manifold = Annotated[
    bool,
    flag("--manifold", "The plane of the two most active latents; best if it has two.", LATENT),
]
SamplerName = Annotated[Sampler | None, diffusion.sampler(DIFFUSION)]
NumSteps = Annotated[int | None, diffusion.num_steps(DIFFUSION)]
Eta = Annotated[float | None, diffusion.eta(DIFFUSION)]
VarianceName = Annotated[Variance | None, diffusion.variance(DIFFUSION)]
Trajectory = Annotated[
    bool,
    flag("--trajectory", "Noise becoming pictures: a strip (PNG) and an animation.", DIFFUSION),
]
Out = Annotated[
    str | None,
    valued(
        text="A .png (one grid), a folder (a file per picture) or a .npz (arrays).",
        default="a .png in the run's samples/", panel=OUTPUT, metavar="PATH",
    ),
]  # fmt: skip
Force = Annotated[bool, flag("--force", "Write over what is at --out.", OUTPUT)]


def draw(
    ctx: typer.Context,
    run: RunName,
    inputs: Inputs = None,
    *,
    number: Number = None,
    seed: Seed = 0,
    reconstruct: Reconstruct = False,
    variations: Variations = False,
    interpolate: Interpolate = False,
    manifold: Manifold = False,
    sampler: SamplerName = None,
    num_steps: NumSteps = None,
    eta: Eta = None,
    variance: VarianceName = None,
    trajectory: Trajectory = False,
    out: Out = None,
    force: Force = False,
    format: FormatName = None,
    shard_size: ShardSize = None,
    num_processes: NumProcesses = None,
    process_id: ProcessId = None,
    values: dict[str, Any],
) -> None:
    """Draw pictures with a trained model, and print where they are."""
    here = settings(ctx)
    opened = Run.open(run, root=here.runs_root)
    request = check(
        Request(
            mode=_mode(
                reconstruct=reconstruct, variations=variations, interpolate=interpolate,
                manifold=manifold, trajectory=trajectory,
            ),
            number=number,
            seed=seed,
            inputs=tuple(inputs or ()),
            options=given(sampler=sampler, num_steps=num_steps, eta=eta, variance=variance),
        ),
        opened.config,
    )  # fmt: skip
    destination = settle(
        format, out, request.mode, force,
        shard_size=shard_size, num_processes=num_processes, process_id=process_id,
    ) or choose(out, opened.samples, default_name(request), request.mode, force)  # fmt: skip
    start_drawing(given(**values), debug=here.debug)
    for path in _draw(opened, request, destination):
        typer.echo(path)


_COMPUTING = ("training.backend", "training.device")
_computing = [option for option in config_options("gan") if option.key in _COMPUTING]
sample = with_options(
    draw, [*(option.parameter(panel=OUTPUT) for option in _computing), drawing_devices(OUTPUT)]
)


def _mode(**flags: bool) -> str:
    """Return what to draw: the flag that was given, or plain samples.

    Raises:
        typer.BadParameter: two were given.
    """
    given = [f"--{name}" for name, wanted in flags.items() if wanted]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} are different drawings; give one.")
    return given[0].removeprefix("--") if given else "sample"


def _draw(run: Run, request: Request, destination: Destination | Shards) -> list[Path]:
    """Load the model, draw, write, and return the files or folders written."""
    from kgen.models import load
    from kgen_cli.drawing import draw
    from kgen_cli.progress import counting

    if run.config.family == "ae" and request.mode == "sample":
        say_note("An autoencoder is not trained to be sampled from; a VAE is (kgen train vae).")
    model = load(run)
    if isinstance(destination, Shards):
        return [destination.draw(run, model, request)]
    with counting("drawing") as progress:
        picture = draw(model, request, progress)
    return destination.write(picture)
