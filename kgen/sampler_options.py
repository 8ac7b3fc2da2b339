"""What a diffusion sampler can be asked for, for those who must not import Keras."""

from collections.abc import Mapping
from typing import Any

from kgen.errors import KgenError

SAMPLERS = ("dpmpp", "ddim", "ddpm")
"""By name, the default first; :mod:`kgen.samplers` says what they are."""
VARIANCES = ("fixed_small", "fixed_large")
"""Of ddpm's noise, the default first."""
FEW_STEPS = {"dpmpp": 25, "ddim": 50}
"""Network calls of the samplers that need few, if no number is named."""
ETA = {"dpmpp": 1.0, "ddim": 0.0}
"""Their noise, if none is named: what draws best (docs/quality.md, "Steps and noise")."""
SAMPLERS_WITH = {"eta": ("dpmpp", "ddim"), "variance": ("ddpm",)}
"""Whose noise an option sets."""


def check_noise(options: Mapping[str, Any]) -> None:
    """Check that the noise that is asked for is the sampler's.

    Args:
        options: those of :meth:`kgen.models.ddpm.DDPM.plan` that were given.

    Raises:
        KgenError: an option belongs to another sampler.
    """
    sampler = options.get("sampler", SAMPLERS[0])
    for name, owners in SAMPLERS_WITH.items():
        if name in options and sampler not in owners:
            raise KgenError(
                f"--{name} goes with --sampler {' or '.join(owners)}. "
                f"Received: --sampler {sampler} --{name} {options[name]}."
            )
