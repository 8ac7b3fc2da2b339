"""The distribution of a pixel that a decoder stands for: what its raw output means.

A decoder's raw output is float (B, H, W, C) without activation, a picture x is float of the same
shape in [0, 1]. Log-probabilities are float32 (B,), in nats, *summed* over pixels: averaged over
them, the reconstruction would weigh ``1 / (H * W * C)`` against the KL and every latent of a VAE
would collapse to the prior.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kgen.option import unknown_name

LOG_2PI = math.log(2 * math.pi)


class Likelihood(keras.layers.Layer, ABC):
    """What every pixel distribution can do; calling it is :meth:`mean`."""

    def __init__(self, **kwargs: Any) -> None:
        """Leave inputs as they are: the methods compute in float32 under any dtype policy."""
        super().__init__(autocast=False, **kwargs)

    def call(self, raw: Any) -> Any:
        """Return the picture: :meth:`mean`."""
        return self.mean(raw)

    @abstractmethod
    def mean(self, raw: Any) -> Any:
        """Return the expected picture, float32 (B, H, W, C)."""

    @abstractmethod
    def log_prob(self, x: Any, raw: Any) -> Any:
        """Return log p(x | raw) of each picture, float32 (B,), nats summed over pixels."""

    @abstractmethod
    def bits_per_dim(self, log_prob: Any, num_values: int) -> Any:
        """Turn a log-probability in nats per picture into bits per value, of `num_values`."""


def _float32(x: Any) -> Any:
    return ops.cast(x, "float32")


def _sum_pixels(x: Any) -> Any:
    return ops.sum(x, axis=tuple(range(1, len(x.shape))))


@keras.saving.register_keras_serializable(package="kgen")
class Bernoulli(Likelihood):
    """Pixels that are on with probability sigmoid(raw): for black-and-white pictures.

    With grey x it is a cross-entropy, not a probability of x, and its best value is minus the
    entropy of the grey levels instead of 0.

    Source: Kingma & Welling (2014), appendix C.1, eq. 11.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Hold nothing."""
        super().__init__(**kwargs)
        self.built = True

    def mean(self, raw: Any) -> Any:
        """Return the probability that each pixel is on, ``sigmoid(raw)``."""
        return ops.sigmoid(_float32(raw))

    def log_prob(self, x: Any, raw: Any) -> Any:
        """Return ``sum(x * log p + (1 - x) * log(1 - p))``, as ``x * raw - softplus(raw)``."""
        raw = _float32(raw)
        return _sum_pixels(_float32(x) * raw - ops.softplus(raw))

    def bits_per_dim(self, log_prob: Any, num_values: int) -> Any:
        """Return bits per binary pixel; for grey pictures not comparable with a density's."""
        return -log_prob / (num_values * math.log(2))


@keras.saving.register_keras_serializable(package="kgen")
class Gaussian(Likelihood):
    """Pixels normal about the decoder's picture, all with one variance, given or learned.

    ``log p(x) = -0.5 * sum(log(2 * pi * variance) + (x - mean)**2 / variance)``. The variance sets
    how much a pixel's error counts against the KL; learned, it settles at the mean squared error
    by itself (Rybkin et al. 2021, section 3), and then no such weight is left to choose.

    Source: Kingma & Welling (2014), appendix C.2, eq. 12, with a spherical covariance.

    Args:
        variance: of each pixel, in units of x squared; where a learned one starts.
        learned: whether the variance is trained, as a scalar log-variance.
        activation: "sigmoid" bounds the mean to (0, 1); "linear" leaves it as the decoder gives it.

    Raises:
        ValueError: `variance` is not positive, or the activation is unknown.
    """

    def __init__(
        self,
        variance: float = 1.0,
        learned: bool = False,
        activation: str = "sigmoid",
        **kwargs: Any,
    ) -> None:
        """Make the log-variance a float32 weight, trained or not."""
        super().__init__(**kwargs)
        if not variance > 0:
            raise ValueError(f"variance is a positive number. Received: variance={variance}.")
        if activation not in ("sigmoid", "linear"):
            raise ValueError(
                f'activation is "sigmoid" or "linear". Received: activation={activation!r}.'
            )
        self.variance = variance
        self.learned = learned
        self.activation = activation
        self.log_variance = self.add_weight(
            name="log_variance",
            shape=(),
            initializer=keras.initializers.Constant(math.log(variance)),
            dtype="float32",
            trainable=learned,
            autocast=False,
        )
        self.built = True

    def mean(self, raw: Any) -> Any:
        """Return the centre of each pixel's distribution: ``activation(raw)``."""
        return ops.sigmoid(_float32(raw)) if self.activation == "sigmoid" else _float32(raw)

    def log_prob(self, x: Any, raw: Any) -> Any:
        """Return the normal log-density of the picture."""
        error = _float32(x) - self.mean(raw)
        logvar = _float32(self.log_variance)
        num_values = int(np.prod(error.shape[1:]))
        squares = _sum_pixels(error * error)
        return -0.5 * (num_values * (LOG_2PI + logvar) + squares * ops.exp(-logvar))

    def bits_per_dim(self, log_prob: Any, num_values: int) -> Any:
        """Return bits per 8-bit value: a density over [0, 1] is 256 grey levels wide, so +8."""
        return -log_prob / (num_values * math.log(2)) + 8.0

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {
            **super().get_config(),
            "variance": self.variance,
            "learned": self.learned,
            "activation": self.activation,
        }


LIKELIHOODS: dict[str, Callable[[float], Likelihood]] = {
    "bernoulli": lambda _variance: Bernoulli(name="likelihood"),
    "gaussian": lambda variance: Gaussian(variance, name="likelihood"),
    "gaussian_learned": lambda variance: Gaussian(variance, learned=True, name="likelihood"),
}


def build_likelihood(name: str, variance: float) -> Likelihood:
    """Make the pixel distribution that a configuration names.

    Args:
        name: a key of :data:`LIKELIHOODS`.
        variance: of a Gaussian pixel, or where its learned variance starts; Bernoulli has none.

    Raises:
        KgenError: there is no such likelihood; the message lists those there are.
    """
    if name not in LIKELIHOODS:
        raise unknown_name("likelihood", name, list(LIKELIHOODS))
    return LIKELIHOODS[name](variance)
