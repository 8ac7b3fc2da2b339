"""From noise to pictures: every sampler is one affine loop with its own coefficients.

A step is ``x_prev = coef_x0 * x0_hat + coef_xt * xt + coef_last * x0_last + sigma * z``, where
x0_last is the x0_hat of the step before. So a sampler is a plan, four numbers for each step,
computed once on the host in float64.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import ops

from kgen.errors import KgenError
from kgen.option import unknown_name
from kgen.sampler_options import VARIANCES
from kgen.schedule import ScheduleTables, look_ahead

PredictX0 = Callable[[Any, Any], Any]
"""(xt (B, ...), t int32 (B,)) -> x0_hat (B, ...)."""
StepNoise = Callable[[int, tuple[int, ...]], Any]
"""(index of the step, shape) -> standard normal z of that shape, made on the host."""
OnStep = Callable[[int, int, Any, Any], None]
"""(index of the step, t, xt before the step, x0_hat)."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class SamplerPlan:
    """The steps of a sampler, in the order they are taken: from the most noise to none.

    Attributes:
        name: what the sampler is, for people.
        timesteps: int32 (S,), strictly descending.
        coef_x0: float64 (S,), weight of x0_hat.
        coef_xt: float64 (S,), weight of xt.
        coef_last: float64 (S,), weight of the step before's x0_hat; 0 in the first step, and in
            all of DDPM and DDIM.
        sigma: float64 (S,), weight of the noise z, at least 0; the last is 0, since the step that
            lands on x0 adds no noise, whichever timestep it starts from.
    """

    name: str
    timesteps: np.ndarray
    coef_x0: np.ndarray
    coef_xt: np.ndarray
    coef_last: np.ndarray
    sigma: np.ndarray

    @property
    def num_steps(self) -> int:
        """How often the network is called for a picture."""
        return len(self.timesteps)


def ddpm_plan(
    tables: ScheduleTables, timesteps: np.ndarray, variance: str = "fixed_small"
) -> SamplerPlan:
    """Plan ancestral sampling: each step draws from q(x_prev | x_t, x0_hat).

    The mean is mu_tilde(xt, x0_hat); the variance is beta_tilde ("fixed_small", right for data
    that is one point) or beta ("fixed_large", right for data N(0, I); many steps only: with few,
    betas are large and so is the noise left in the picture). Chains shorter than the schedule use
    respaced betas.

    Source: Ho et al. (2020), Algorithm 2, eq. 7 and section 3.2; eq. 11 is the same mean written
    with eps_hat. z = 0 in the last step, which Algorithm 2 calls t = 1.

    Args:
        tables: the schedule the model was trained on.
        timesteps: int (S,), ascending, from :func:`kgen.schedule.timesteps`.
        variance: "fixed_small" or "fixed_large".

    Raises:
        KgenError: the variance's name is unknown.
        ValueError: `timesteps` are not ascending or not in range.
    """
    if variance not in VARIANCES:
        raise unknown_name("sampling variance", variance, list(VARIANCES))
    chain = tables.respaced(timesteps)
    variances = chain.posterior_variance if variance == "fixed_small" else chain.betas
    sigma = np.sqrt(variances)
    sigma[0] = 0.0
    return _descending(
        f"ddpm {variance}",
        timesteps,
        chain.posterior_mean_coef_x0,
        chain.posterior_mean_coef_xt,
        sigma,
    )


def ddim_plan(tables: ScheduleTables, timesteps: np.ndarray, eta: float = 0.0) -> SamplerPlan:
    """Plan DDIM: a deterministic path from noise to picture, or a noisier one with eta.

    ``x_prev = sqrt(ab_prev) * x0_hat + sqrt(1 - ab_prev - sigma**2) * eps_hat + sigma * z``, with
    ``eps_hat = (xt - sqrt(ab) * x0_hat) / sqrt(1 - ab)`` and
    ``sigma = eta * sqrt((1 - ab_prev) / (1 - ab)) * sqrt(1 - ab / ab_prev)``. eps_hat follows
    x0_hat, so a clipped x0_hat keeps the two consistent. eta = 1 is DDPM with the small variance.

    Source: Song et al. (2021, DDIM), eq. 12 and 16, whose alpha is our alpha_bar.

    Args:
        tables: the schedule the model was trained on.
        timesteps: int (S,), ascending, from :func:`kgen.schedule.timesteps`.
        eta: 0 to 1.

    Raises:
        KgenError: eta is out of range.
        ValueError: `timesteps` are not ascending or not in range.
    """
    if not 0.0 <= eta <= 1.0:
        raise KgenError(f"eta is from 0 (deterministic) to 1 (DDPM). Received: eta={eta}.")
    chain = tables.respaced(timesteps)
    ab, ab_prev = chain.alpha_bars, chain.alpha_bars_prev
    sigma = eta * np.sqrt((1 - ab_prev) / (1 - ab)) * np.sqrt(1 - ab / ab_prev)
    # Rounding may take the difference just below 0 where eta = 1 and ab is near 0.
    coef_eps = np.sqrt(np.maximum(1 - ab_prev - sigma * sigma, 0.0))
    coef_xt = coef_eps / np.sqrt(1 - ab)
    return _descending(
        f"ddim eta={eta:g}", timesteps, np.sqrt(ab_prev) - coef_xt * np.sqrt(ab), coef_xt, sigma
    )


def dpmpp_plan(tables: ScheduleTables, timesteps: np.ndarray, eta: float = 0.0) -> SamplerPlan:
    """Plan DPM-Solver++(2M): DDIM that looks ahead, so that it needs half the steps or fewer.

    A step of DDIM takes x0_hat as constant until the next timestep. This one takes it as a line in
    half the log signal-to-noise ratio, ``lambda = log(ab / (1 - ab)) / 2``, through the x0_hat of
    this step and of the step before, and uses its value half-way to the next timestep::

        D = (1 + k) * x0_hat - k * x0_last,  k = h / (2 h_last)

    with h = lambda_next - lambda the length of the step. The first step has no line yet, and the
    last one lands on x0_hat, where lambda has no end: both are DDIM's. All steps are DDIM's with D
    for x0_hat. With eta = 0 the error of S steps falls as 1 / S**2, not 1 / S.

    Source: Lu et al. (2022, DPM-Solver++), Algorithm 2, whose r is h_last / h; with eta = 1 its
    SDE form, "SDE-DPM-Solver++(2M)", of the appendix. For eta between, the noise is DDIM's.

    Args:
        tables: the schedule the model was trained on.
        timesteps: int (S,), ascending, from :func:`kgen.schedule.timesteps`.
        eta: 0 (deterministic) to 1 (as much noise as DDPM).

    Raises:
        KgenError: eta is out of range.
        ValueError: `timesteps` are not ascending or not in range.
    """
    plan = ddim_plan(tables, timesteps, eta)
    ahead = look_ahead(tables.alpha_bars[plan.timesteps])
    return replace(
        plan,
        name=f"dpmpp eta={eta:g}",
        coef_x0=plan.coef_x0 * (1 + ahead),
        coef_last=0.0 - plan.coef_x0 * ahead,  # no -0.0
    )


def _descending(
    name: str, timesteps: np.ndarray, coef_x0: np.ndarray, coef_xt: np.ndarray, sigma: np.ndarray
) -> SamplerPlan:
    """Turn arrays over ascending timesteps into a plan, which descends."""
    return SamplerPlan(
        name=name,
        timesteps=np.asarray(timesteps)[::-1].astype(np.int32),
        coef_x0=coef_x0[::-1].copy(),
        coef_xt=coef_xt[::-1].copy(),
        coef_last=np.zeros(len(coef_x0)),
        sigma=sigma[::-1].copy(),
    )


def _float32(x: Any) -> Any:
    return ops.convert_to_tensor(x, dtype="float32")


def sample(
    predict_x0: PredictX0,
    x_T: Any,
    plan: SamplerPlan,
    noise: StepNoise,
    clip: bool = True,
    on_step: OnStep | None = None,
) -> Any:
    """Walk a plan from pure noise to pictures.

    The loop runs on the host; tensors stay where the backend keeps them, and nothing waits for
    them to be computed, unless `on_step` looks.

    Source: Ho et al. (2020), Algorithm 2; Song et al. (2021, DDIM), eq. 12; Lu et al. (2022,
    DPM-Solver++), Algorithm 2.

    Args:
        predict_x0: the model, as the clean picture it sees in xt.
        x_T: float (B, ...), standard normal.
        plan: from :func:`dpmpp_plan`, :func:`ddim_plan` or :func:`ddpm_plan`.
        noise: makes z for a step, float32; called only for steps that add noise.
        clip: whether x0_hat is clipped to [-1, 1], the range of pictures, before it is used.
        on_step: called after each step with its index, its timestep, the xt it started from and
            the x0_hat it used; for trajectories and progress.

    Returns:
        x0, float32 tensor of x_T's shape; within [-1, 1] if clipped, since the last step returns
        x0_hat itself.
    """
    xt: Any = _float32(x_T)
    shape = tuple(xt.shape)
    x0_last: Any = None
    for i, t in enumerate(plan.timesteps.tolist()):
        batch_t = ops.convert_to_tensor(np.full(shape[:1], t, dtype="int32"))
        # Cut the gradient's tape: without this, PyTorch would keep every step's activations.
        prediction = ops.stop_gradient(predict_x0(xt, batch_t))
        x0_hat = _float32(ops.clip(prediction, -1.0, 1.0) if clip else prediction)
        x_prev = float(plan.coef_x0[i]) * x0_hat + float(plan.coef_xt[i]) * xt
        if plan.coef_last[i] != 0:
            x_prev = x_prev + float(plan.coef_last[i]) * x0_last
        if plan.sigma[i] > 0:
            x_prev = x_prev + float(plan.sigma[i]) * _float32(noise(i, shape))
        if on_step is not None:
            on_step(i, t, xt, x0_hat)
        xt, x0_last = x_prev, x0_hat
    return xt
