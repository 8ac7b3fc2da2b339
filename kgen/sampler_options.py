"""What a diffusion sampler can be asked for, for those who must not import Keras."""

from collections.abc import Mapping
from typing import Any

from kgen.errors import KgenError
from kgen.option import unknown_name

SAMPLERS = ("dpmpp", "ddim", "ddpm")
"""By name, the default first; :mod:`kgen.sampler_plans` says what they are."""
VARIANCES = ("fixed_small", "fixed_large")
"""Of ddpm's noise, the default first."""
FEW_STEPS = {"dpmpp": 25, "ddim": 50}
"""Network calls of the samplers that need few, if no number is named; others visit the chain."""
ETA = {"dpmpp": 1.0, "ddim": 0.0}
"""Their noise, if none is named: what draws best (docs/quality.md, "Steps and noise")."""
SAMPLERS_WITH = {"eta": ("dpmpp", "ddim"), "variance": ("ddpm",)}
"""Whose noise an option sets."""


def settle(options: Mapping[str, Any], num_timesteps: int) -> dict[str, Any]:
    """Settle everything that a sampler can be asked for, so that equal samplers are equal options.

    Args:
        options: those of :meth:`kgen.models.ddpm.DDPM.plan` that were given, as plain values.
        num_timesteps: length of the chain that the model was trained on.

    Returns:
        sampler, num_steps, and eta or variance, whichever is the sampler's.

    Raises:
        KgenError: a name is unknown, the chain is too short, or an option is another sampler's.
    """
    check(options)
    sampler = options.get("sampler", SAMPLERS[0])
    steps = options.get("num_steps", min(FEW_STEPS.get(sampler, num_timesteps), num_timesteps))
    if not 1 <= steps <= num_timesteps:
        raise KgenError(
            f"num_steps takes 1 to {num_timesteps}, the num_timesteps that the run was trained "
            f"with. Received: num_steps={steps}."
        )
    settled = {"sampler": sampler, "num_steps": steps}
    if sampler in ETA:
        return {**settled, "eta": float(options.get("eta", ETA[sampler]))}
    return {**settled, "variance": options.get("variance", VARIANCES[0])}


def check(options: Mapping[str, Any]) -> None:
    """Check what can be checked without a model.

    Args:
        options: as for :func:`settle`.

    Raises:
        KgenError: a name is unknown, or an option is another sampler's.
    """
    sampler = options.get("sampler", SAMPLERS[0])
    if sampler not in SAMPLERS:
        raise unknown_name("sampler", sampler, list(SAMPLERS))
    for name, owners in SAMPLERS_WITH.items():
        if name in options and sampler not in owners:
            raise KgenError(
                f"--{name} goes with --sampler {' or '.join(owners)}. "
                f"Received: --sampler {sampler} --{name} {options[name]}."
            )
