"""From noise to pictures: every sampler is one affine loop with its own coefficients."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from kgen.sampler_plans import SamplerPlan

PredictX0 = Callable[[Any, Any], Any]
"""(xt (B, ...), t int32 (B,)) -> x0_hat (B, ...)."""
StepNoise = Callable[[int, tuple[int, ...]], Any]
"""(index of the step, shape) -> standard normal z of that shape, made on the host."""
OnStep = Callable[[int, int, Any, Any], None]
"""(index of the step, t, xt before the step, x0_hat)."""


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
        plan: from :mod:`kgen.sampler_plans`.
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
