"""What the samplers do at each step, as numbers: four for each, computed once in float64.

A step is ``x_prev = coef_x0 * x0_hat + coef_xt * xt + coef_last * x0_last + sigma * z``, where
x0_last is the x0_hat of the step before. :func:`kgen.samplers.sample` walks such a plan in Keras,
and exported files hold one as a table. Needs NumPy only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kgen.errors import KgenError
from kgen.option import unknown_name
from kgen.sampler_options import VARIANCES
from kgen.schedule import ScheduleTables


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class SamplerPlan:
    """The steps of a sampler, in the order they are taken: from the most noise to none.

    Attributes:
        name: ``dpmpp``, ``ddim`` or ``ddpm``.
        eta: noise of dpmpp and ddim, 0 to 1; of ddpm 1, which is ddim's name for its small
            variance.
        variance: noise of ddpm, ``fixed_small`` or ``fixed_large``; None for the others.
        timesteps: int32 (S,), strictly descending.
        coef_x0: float64 (S,), weight of x0_hat.
        coef_xt: float64 (S,), weight of xt.
        coef_last: float64 (S,), weight of the step before's x0_hat; 0 in the first step, and in
            all of DDPM and DDIM.
        sigma: float64 (S,), weight of the noise z, at least 0; the last is 0, since the step that
            lands on x0 adds no noise, whichever timestep it starts from.
    """

    name: str
    eta: float
    variance: str | None
    timesteps: np.ndarray
    coef_x0: np.ndarray
    coef_xt: np.ndarray
    coef_last: np.ndarray
    sigma: np.ndarray

    @property
    def num_steps(self) -> int:
        """How often the network is called for a picture."""
        return len(self.timesteps)

    @property
    def title(self) -> str:
        """What the sampler is, for people."""
        return f"{self.name} {self.variance or f'eta={self.eta:g}'}"


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
    coefficients = chain.posterior_mean_coef_x0, chain.posterior_mean_coef_xt
    return _descending(timesteps, *coefficients, sigma, name="ddpm", eta=1.0, variance=variance)


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
    coef_x0 = np.sqrt(ab_prev) - coef_xt * np.sqrt(ab)
    return _descending(timesteps, coef_x0, coef_xt, sigma, name="ddim", eta=float(eta))


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
        name="dpmpp",
        coef_x0=plan.coef_x0 * (1 + ahead),
        coef_last=0.0 - plan.coef_x0 * ahead,  # no -0.0
    )


def _descending(
    timesteps: np.ndarray, coef_x0: np.ndarray, coef_xt: np.ndarray, sigma: np.ndarray,
    *, name: str, eta: float, variance: str | None = None,
) -> SamplerPlan:  # fmt: skip
    """Turn arrays over ascending timesteps into a plan, which descends."""
    return SamplerPlan(
        name=name,
        eta=eta,
        variance=variance,
        timesteps=np.asarray(timesteps)[::-1].astype(np.int32),
        coef_x0=coef_x0[::-1].copy(),
        coef_xt=coef_xt[::-1].copy(),
        coef_last=np.zeros(len(coef_x0)),
        sigma=sigma[::-1].copy(),
    )


def look_ahead(alpha_bars: np.ndarray) -> np.ndarray:
    """Say how far a step of DPM-Solver++(2M) looks ahead along the line through two x0_hats.

    ``k = h / (2 h_last)``, where h is what a step adds to ``lambda = log(ab / (1 - ab)) / 2`` and
    h_last what the step before it added: half a step, in units of the last one. Source: Lu et al.
    (2022, DPM-Solver++), Algorithm 2, where it is 1 / (2 r).

    Args:
        alpha_bars: float64 (S,), strictly rising within (0, 1): of the timesteps visited, in the
            order of sampling.

    Returns:
        k, float64 (S,); 0 in the first step, which has none before it, and in the last, which
        ends where lambda is infinite.
    """
    ahead = np.zeros(len(alpha_bars))
    lengths = np.diff(np.log(alpha_bars / (1 - alpha_bars))) / 2
    ahead[1:-1] = lengths[1:] / (2 * lengths[:-1])
    return ahead


PLANS: dict[str, Callable[..., SamplerPlan]] = {
    "dpmpp": dpmpp_plan,
    "ddim": ddim_plan,
    "ddpm": ddpm_plan,
}
"""What makes a plan of tables, ascending timesteps, and eta or variance; by the sampler's name."""
