"""The variational bound of a diffusion model, term by term, from what its network predicts.

    -log p(x0) <= L_T + sum_t L_{t-1} + L_0        (Ho et al. 2020, eq. 5)

Every term is in nats per value of a picture in [-1, 1]. The paper's t is one more than that of
:mod:`kgen.schedule`, so its L_{t-1} are the terms of t from 1 to T - 1 here, and its L_0 that of 0.
The variance of p(x_{t-1} | x_t) is beta_t, which the paper found to do as well as the smaller
choice, and with which a bound of Gaussian pictures is lower.
"""

import numpy as np

from kgen.evaluation.diagnostics.normal import log_bin
from kgen.schedule import ScheduleTables

HALF_LEVEL = 1 / 255
"""Half the width of one of 256 grey levels in [-1, 1]."""


def prior_term(tables: ScheduleTables, x0: np.ndarray) -> np.ndarray:
    """Return L_T = KL(q(x_T | x_0) || N(0, I)): what is left of a picture at the chain's end.

    Source: Ho et al. (2020), eq. 5, with eq. 4.

    Args:
        tables: the schedule.
        x0: float (n, ...) in [-1, 1].

    Returns:
        float64 (n,).
    """
    ab = tables.alpha_bars[-1]
    squares = np.square(x0, dtype=np.float64).mean(axis=tuple(range(1, x0.ndim)))
    return 0.5 * (ab * (squares - 1) - np.log1p(-ab))


def transition_term(tables: ScheduleTables, t: np.ndarray, x0_mse: np.ndarray) -> np.ndarray:
    """Return L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), of t from 1 on.

    Both are normal, with means that differ by a multiple of x0 - x0_hat and variances beta_tilde
    and beta.

    Source: Ho et al. (2020), eq. 6 and 7, in eq. 8 with the term of the variances kept.

    Args:
        tables: the schedule.
        t: int (n,), at least 1.
        x0_mse: float (n,), mean of (x0 - x0_hat)**2 over the values of a picture.

    Returns:
        float64 (n,).
    """
    beta, ratio = tables.betas[t], tables.posterior_variance[t] / tables.betas[t]
    moved = np.square(tables.posterior_mean_coef_x0[t]) * x0_mse / beta
    return 0.5 * (ratio - 1 - np.log(ratio) + moved)


def decoder_term(tables: ScheduleTables, x0: np.ndarray, x0_hat: np.ndarray) -> np.ndarray:
    """Return L_0 = -log p(x0 | x_1): the last step has to hit the grey level.

    Source: Ho et al. (2020), eq. 13; the mean is x0_hat, since beta_tilde of the last step is 0.

    Args:
        tables: the schedule.
        x0: float (n, ...), grey levels in [-1, 1].
        x0_hat: float (n, ...), predicted at t = 0.

    Returns:
        float64 (n,).
    """
    sd = float(np.sqrt(tables.betas[0]))
    return -log_bin(x0, x0_hat, sd, HALF_LEVEL).mean(axis=tuple(range(1, x0.ndim)))
