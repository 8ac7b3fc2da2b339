"""What `kgen sample` is asked for, and whether the run at hand can do it."""

from dataclasses import dataclass, field, replace
from math import isqrt
from pathlib import Path
from typing import Any

from kgen.errors import KgenError
from kgen.run_config import RunConfig
from kgen.sampler_options import ETA, VARIANCES, settle

FAMILIES_OF = {
    "sample": ("gan", "ae", "vae", "ddpm"),
    "reconstruct": ("ae", "vae"),
    "variations": ("vae",),
    "interpolate": ("gan", "ae", "vae"),
    "manifold": ("vae",),
    "trajectory": ("ddpm",),
}
"""Which families can draw what."""

NUMBER = {"sample": 64, "variations": 16, "interpolate": 10, "manifold": 400, "trajectory": 8}
"""Pictures drawn if `-n` is not given."""

SAMPLER_FAMILY = "ddpm"
MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A drawing.

    Attributes:
        mode: a key of :data:`FAMILIES_OF`.
        number: pictures, or steps of an interpolation; None for the mode's own.
        seed: of the noise.
        inputs: picture files, or two seeds.
        options: those of the sampler: sampler, num_steps, eta or variance; until they are settled,
            those that were given.
    """

    mode: str
    number: int | None
    seed: int
    inputs: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> int:
        """Pictures along each side of a manifold."""
        return isqrt(self.number or 0)


def check(request: Request, config: RunConfig) -> Request:
    """Return the request with its number and sampler settled for a run.

    Raises:
        KgenError: the run's family cannot draw that, or inputs or options do not fit.
    """
    family, mode = config.family, request.mode
    if family not in FAMILIES_OF[mode]:
        raise _not_of(f"--{mode}", FAMILIES_OF[mode], family)
    if request.options and family != SAMPLER_FAMILY:
        flag = "--" + next(iter(request.options)).replace("_", "-")
        raise _not_of(flag, (SAMPLER_FAMILY,), family)
    _check_inputs(request, family)
    if request.number is not None and mode == "reconstruct":
        raise KgenError(
            f"--reconstruct draws one picture per input. Received: -n {request.number}. "
            "Leave -n out."
        )
    number = NUMBER.get(mode) if request.number is None else request.number
    if number is not None and number < 2 and mode in ("interpolate", "manifold"):
        raise KgenError(f"--{mode} takes at least 2 pictures. Received: -n {number}.")
    options = request.options
    if family == SAMPLER_FAMILY:
        options = settle(options, config.model.to_mapping()["num_timesteps"])
    return replace(request, number=number, options=options)


def default_name(request: Request) -> str:
    """Name the file after what is in it, without its suffix."""
    parts = [request.mode]
    parts += [Path(text).stem for text in request.inputs[:2]]
    if request.mode == "manifold":
        parts.append(f"{request.side}x{request.side}")
    elif request.number is not None:
        parts.append(str(request.number))
    if request.options:
        sampler = request.options["sampler"]
        parts.append(f"{sampler}{request.options['num_steps']}")
        for key, usual in (("eta", ETA.get(sampler)), ("variance", VARIANCES[0])):
            if request.options.get(key, usual) != usual:
                parts.append(f"{key}-{request.options[key]}")
    if request.mode in ("sample", "variations", "trajectory"):
        parts.append(f"seed{request.seed}")
    return "-".join(parts)


def _check_inputs(request: Request, family: str) -> None:
    """Check that there are as many inputs as the drawing needs, and that they are there."""
    mode, count = request.mode, len(request.inputs)
    seeds = mode == "interpolate" and family == "gan"
    wanted, right = {
        "reconstruct": ("picture files", count >= 1),
        "variations": ("one picture file", count == 1),
        "interpolate": ("two seeds" if seeds else "two picture files", count == 2),
    }.get(mode, ("no inputs", count == 0))
    if not right:
        raise KgenError(
            f"{'--' + mode if mode != 'sample' else 'Sampling'} takes {wanted} after the run. "
            f"Received: {' '.join(request.inputs) or 'none'}."
        )
    for text in request.inputs:
        if seeds and not (text.isdecimal() and int(text) <= MAX_SEED):
            raise KgenError(
                f"--interpolate takes two seeds for a gan, from 0 to {MAX_SEED}. "
                f"Received: {' '.join(request.inputs)}."
            )
        if not seeds and not Path(text).is_file():
            raise KgenError(f"There is no picture file {text}. Check its path.")


def _not_of(flag: str, families: tuple[str, ...], family: str) -> KgenError:
    """Make the error for an option of another family."""
    return KgenError(
        f"{flag} is for runs of {' and '.join(families)}. Received: a run of {family}."
    )
