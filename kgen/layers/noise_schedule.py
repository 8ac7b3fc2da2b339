"""The forward process of a diffusion model, its posterior, and what a network can predict of it."""

from typing import Any

import keras
import numpy as np
from keras import ops

from kgen import schedule
from kgen.option import unknown_name

PREDICTION_KINDS = ("eps", "x0", "v")


def _float32(x: Any) -> Any:
    return ops.cast(x, "float32")


@keras.saving.register_keras_serializable(package="kgen")
class NoiseSchedule(keras.layers.Layer):
    """Holds how much noise each timestep adds, and does every computation that needs to know.

    Shapes and types, the same in all methods: x0, xt, x_prev, eps, v and predictions are float
    (B, ...) of any rank, pictures in [-1, 1] before noise; t is int32 (B,) in
    ``[0, num_timesteps)``, t = 0 the least noisy. Results are float32 whatever the dtype policy,
    so that half precision never touches the schedule. Below, ``ab`` is ``alpha_bars[t]``.

    The tables are float32 weights (not trainable), computed in float64; :attr:`tables` keeps the
    float64 ones for host-side use. Calling the layer is :meth:`q_sample`.

    Args:
        num_timesteps: length T of the forward chain.
        kind: "linear" (Ho et al. 2020) or "cosine" (Nichol & Dhariwal 2021).
        beta_start: first beta of the linear schedule.
        beta_end: last beta of the linear schedule.

    Raises:
        KgenError: the schedule's name is unknown, a number out of range, or a prediction kind is
            not "eps", "x0" or "v".
        ValueError: weights of another schedule are loaded.
    """

    def __init__(
        self,
        num_timesteps: int = 1000,
        kind: str = "linear",
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
        **kwargs: Any,
    ) -> None:
        """Compute the tables."""
        super().__init__(autocast=False, **kwargs)
        self.num_timesteps = num_timesteps
        self.kind = kind
        self.beta_start = beta_start
        self.beta_end = beta_end
        betas = schedule.betas(kind, num_timesteps, beta_start, beta_end)
        tables = self.tables = schedule.ScheduleTables.from_betas(betas)
        self.betas = self._table("betas", tables.betas)
        self.alphas = self._table("alphas", tables.alphas)
        self.alpha_bars = self._table("alpha_bars", tables.alpha_bars)
        self.sqrt_alpha_bars = self._table("sqrt_alpha_bars", np.sqrt(tables.alpha_bars))
        # From float64: in float32, 1 - alpha_bar keeps three digits where there is little noise.
        self.sqrt_one_minus_alpha_bars = self._table(
            "sqrt_one_minus_alpha_bars", np.sqrt(1 - tables.alpha_bars)
        )
        self.posterior_variance = self._table("posterior_variance", tables.posterior_variance)
        self.posterior_mean_coef_x0 = self._table(
            "posterior_mean_coef_x0", tables.posterior_mean_coef_x0
        )
        self.posterior_mean_coef_xt = self._table(
            "posterior_mean_coef_xt", tables.posterior_mean_coef_xt
        )
        self.signal_to_noise = self._table("snr", tables.snr)
        self.built = True

    def _table(self, name: str, values: np.ndarray) -> Any:
        """Keep a float64 table as a float32 weight that neither training nor a policy changes."""
        return self.add_weight(
            name=name,
            shape=values.shape,
            initializer=lambda shape, dtype: ops.convert_to_tensor(values.astype("float32"), dtype),
            dtype="float32",
            trainable=False,
            autocast=False,
        )

    def call(self, x0: Any, t: Any, eps: Any) -> Any:
        """Add t steps of noise to clean pictures: :meth:`q_sample`."""
        return self.q_sample(x0, t, eps)

    def q_sample(self, x0: Any, t: Any, eps: Any) -> Any:
        """Draw xt from q(x_t | x_0) in one go: ``xt = sqrt(ab) * x0 + sqrt(1 - ab) * eps``.

        Source: Ho et al. (2020), eq. 4.
        """
        a, s = self._signal_and_noise(t, x0)
        return a * _float32(x0) + s * _float32(eps)

    def q_step(self, x_prev: Any, t: Any, eps: Any) -> Any:
        """Draw xt from q(x_t | x_{t-1}), one step of the forward chain.

        ``xt = sqrt(1 - betas[t]) * x_prev + sqrt(betas[t]) * eps``; at t = 0, x_prev is x0.

        Source: Ho et al. (2020), eq. 2.
        """
        alpha, beta = self._at(self.alphas, t, x_prev), self._at(self.betas, t, x_prev)
        return ops.sqrt(alpha) * _float32(x_prev) + ops.sqrt(beta) * _float32(eps)

    def posterior(self, x0: Any, xt: Any, t: Any) -> tuple[Any, Any]:
        """Return mean and variance of q(x_{t-1} | x_t, x_0), which the reverse chain imitates.

        ``mu_tilde = sqrt(ab_prev) * beta / (1 - ab) * x0 + sqrt(alpha) * (1 - ab_prev) / (1 - ab)
        * xt`` and ``beta_tilde = (1 - ab_prev) / (1 - ab) * beta``.

        Source: Ho et al. (2020), eq. 6-7.

        Returns:
            mu_tilde, float32 (B, ...); beta_tilde, float32 (B, 1, ...), 0 at t = 0.
        """
        mu_tilde = self._at(self.posterior_mean_coef_x0, t, xt) * _float32(x0) + self._at(
            self.posterior_mean_coef_xt, t, xt
        ) * _float32(xt)
        return mu_tilde, self._at(self.posterior_variance, t, xt)

    def target(self, prediction_kind: str, x0: Any, eps: Any, t: Any) -> Any:
        """Return what a network of that kind is trained to predict, by mean squared error.

        Source: Ho et al. (2020), eq. 14 for eps (eq. 12 without its weights) and eq. 8 for where
        it comes from; Salimans & Ho (2022), section 4, for x0 and v.
        """
        if prediction_kind == "eps":
            return _float32(eps)
        if prediction_kind == "x0":
            return _float32(x0)
        if prediction_kind == "v":
            return self.v_from_x0_eps(x0, eps, t)
        raise unknown_name("prediction kind", prediction_kind, list(PREDICTION_KINDS))

    def x0_eps(self, prediction_kind: str, prediction: Any, xt: Any, t: Any) -> tuple[Any, Any]:
        """Read both the clean picture and the noise off a network's prediction.

        Whatever the kind, ``xt == sqrt(ab) * x0_hat + sqrt(1 - ab) * eps_hat`` holds.

        Returns:
            x0_hat and eps_hat, float32 (B, ...).
        """
        if prediction_kind == "eps":
            return self.x0_from_eps(prediction, xt, t), _float32(prediction)
        if prediction_kind == "x0":
            return _float32(prediction), self.eps_from_x0(prediction, xt, t)
        if prediction_kind == "v":
            return self.x0_from_v(prediction, xt, t), self.eps_from_v(prediction, xt, t)
        raise unknown_name("prediction kind", prediction_kind, list(PREDICTION_KINDS))

    def x0_from_eps(self, eps: Any, xt: Any, t: Any) -> Any:
        """Solve q_sample for x0: ``(xt - sqrt(1 - ab) * eps) / sqrt(ab)``.

        Source: Ho et al. (2020), eq. 15; put into eq. 7 it gives their eq. 11.
        """
        a, s = self._signal_and_noise(t, xt)
        return (_float32(xt) - s * _float32(eps)) / a

    def eps_from_x0(self, x0: Any, xt: Any, t: Any) -> Any:
        """Solve q_sample for eps: ``(xt - sqrt(ab) * x0) / sqrt(1 - ab)``."""
        a, s = self._signal_and_noise(t, xt)
        return (_float32(xt) - a * _float32(x0)) / s

    def v_from_x0_eps(self, x0: Any, eps: Any, t: Any) -> Any:
        """Return ``v = sqrt(ab) * eps - sqrt(1 - ab) * x0``: eps where clean, -x0 where noisy.

        Source: Salimans & Ho (2022), section 4 and appendix D.
        """
        a, s = self._signal_and_noise(t, x0)
        return a * _float32(eps) - s * _float32(x0)

    def x0_from_v(self, v: Any, xt: Any, t: Any) -> Any:
        """Rotate (xt, v) back to x0: ``sqrt(ab) * xt - sqrt(1 - ab) * v``; never divides.

        Source: Salimans & Ho (2022), section 4 and appendix D.
        """
        a, s = self._signal_and_noise(t, xt)
        return a * _float32(xt) - s * _float32(v)

    def eps_from_v(self, v: Any, xt: Any, t: Any) -> Any:
        """Rotate (xt, v) back to eps: ``sqrt(1 - ab) * xt + sqrt(ab) * v``; never divides.

        Source: Salimans & Ho (2022), appendix D.
        """
        a, s = self._signal_and_noise(t, xt)
        return s * _float32(xt) + a * _float32(v)

    def snr(self, t: Any) -> Any:
        """Return the signal-to-noise ratio ``ab / (1 - ab)``, float32 (B,)."""
        return ops.take(self.signal_to_noise, t, axis=0)

    def _signal_and_noise(self, t: Any, x: Any) -> tuple[Any, Any]:
        """Return sqrt(ab) and sqrt(1 - ab), shaped to multiply x."""
        return self._at(self.sqrt_alpha_bars, t, x), self._at(self.sqrt_one_minus_alpha_bars, t, x)

    def _at(self, table: Any, t: Any, x: Any) -> Any:
        """Gather a table at t, shaped (B, 1, ...) to multiply x (B, ...)."""
        return ops.reshape(ops.take(table, t, axis=0), (-1,) + (1,) * (len(x.shape) - 1))

    def load_own_variables(self, store: Any) -> None:
        """Load the tables, which have to be this schedule's: networks learn one schedule."""
        betas = np.asarray(store["0"])
        ours = self.tables.betas.astype("float32")
        if betas.shape != ours.shape or not np.allclose(betas, ours, rtol=1e-6, atol=0.0):
            raise ValueError(
                f"These weights were made with another noise schedule than {self.kind!r} with "
                f"num_timesteps={self.num_timesteps}. Received: betas {betas.shape} from "
                f"{betas.flat[0]:g} to {betas.flat[-1]:g}. Build the model with their schedule."
            )
        super().load_own_variables(store)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {
            **super().get_config(),
            "num_timesteps": self.num_timesteps,
            "kind": self.kind,
            "beta_start": self.beta_start,
            "beta_end": self.beta_end,
        }
