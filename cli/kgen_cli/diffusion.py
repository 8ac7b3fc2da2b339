"""The options that say how a diffusion model draws, for all commands that draw with one."""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

from kgen.option import Option
from kgen.sampler_options import ETA, FEW_STEPS
from kgen_cli.options import numbered, valued


class Sampler(StrEnum):
    """The samplers of a diffusion model."""

    DPMPP = "dpmpp"
    DDIM = "ddim"
    DDPM = "ddpm"


class Variance(StrEnum):
    """The noise variances of the ddpm sampler."""

    FIXED_SMALL = "fixed_small"
    FIXED_LARGE = "fixed_large"


def _each(numbers: Mapping[str, float]) -> str:
    """Write a number for each sampler."""
    return ", ".join(f"{name} {number:g}" for name, number in numbers.items())


def sampler(
    panel: str, text: str = "dpmpp and ddim need few steps, dpmpp fewest; ddpm, the paper's, many."
) -> Any:
    """Make the option --sampler."""
    return valued(text=text, default=Sampler.DPMPP, panel=panel, metavar="NAME")


def num_steps(panel: str, default: str = f"{_each(FEW_STEPS)}, ddpm all") -> Any:
    """Make the option --num-steps."""
    limits = Option(help="Network calls for a picture, at most the run's num_timesteps.", low=1)
    return numbered(limits=limits, default=default, panel=panel)


def eta(panel: str, default: str = _each(ETA), text: str = "Noise of dpmpp and ddim") -> Any:
    """Make the option --eta."""
    limits = Option(help=f"{text}: 0 none, 1 as much as ddpm.", low=0, high=1)
    return numbered(limits=limits, kind=float, default=default, panel=panel)


def variance(panel: str) -> Any:
    """Make the option --variance."""
    return valued(
        text=f"Noise of ddpm: {' | '.join(Variance)}.", default=Variance.FIXED_SMALL,
        panel=panel, metavar="NAME",
    )  # fmt: skip


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given, as plain values."""
    return {
        key: value.value if isinstance(value, Enum) else value
        for key, value in options.items()
        if value is not None
    }
