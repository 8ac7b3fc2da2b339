"""The distribution of a VAE's latents before a picture is seen, p(z): given, or learned.

What a user, a device and :func:`kgen.noise.normal` deal in is noise u ~ N(0, I); a prior says
which latent z = f(u) it stands for. Tensors are float32 (B, L) and log-probabilities (B,), in
nats, summed over latents.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kgen import losses
from kgen.layers.coupling import Coupling
from kgen.networks import build_flow, call
from kgen.option import unknown_name

LOG_2PI = math.log(2 * math.pi)


class Prior(keras.layers.Layer, ABC):
    """What every prior can do; calling it is :meth:`from_noise`."""

    def __init__(self, **kwargs: Any) -> None:
        """Leave inputs as they are: the methods compute in float32 under any dtype policy."""
        super().__init__(autocast=False, **kwargs)

    def call(self, u: Any) -> Any:
        """Return the latents: :meth:`from_noise`."""
        return self.from_noise(u)

    @abstractmethod
    def from_noise(self, u: Any) -> Any:
        """Return the latents z = f(u) that standard normal noise stands for."""

    @abstractmethod
    def to_noise(self, z: Any) -> Any:
        """Return the noise u = f^-1(z) that latents are made of."""

    @abstractmethod
    def log_prob(self, z: Any) -> Any:
        """Return log p(z)."""

    @abstractmethod
    def kl(self, mean: Any, logvar: Any, z: Any) -> Any:
        """Return KL(N(mean, exp(logvar)) || p), or an unbiased estimate from a draw z of it."""


@keras.saving.register_keras_serializable(package="kgen")
class StandardNormal(Prior):
    """Latents that are independent and standard normal: u itself.

    Source: Kingma & Welling (2014), appendix B.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Hold nothing."""
        super().__init__(**kwargs)
        self.built = True

    def from_noise(self, u: Any) -> Any:
        """Return `u`."""
        return u

    def to_noise(self, z: Any) -> Any:
        """Return `z`."""
        return z

    def log_prob(self, z: Any) -> Any:
        """Return log N(z; 0, I)."""
        return log_standard_normal(z)

    def kl(self, mean: Any, logvar: Any, z: Any) -> Any:
        """Return the KL in closed form; `z` is not looked at."""
        return losses.kl_standard_normal(mean, logvar)


@keras.saving.register_keras_serializable(package="kgen")
class Flow(Prior):
    """Latents as a learned, invertible function of noise: any distribution that the encoder makes.

    ``log p(z) = log N(f^-1(z); 0, I) + log|det df^-1/dz|`` (Dinh et al. 2017, eq. 2 and 3), with
    f a row of coupling layers that starts as the identity. Trained with encoder and decoder, it
    moves the prior to where the codes of pictures are; with an N(0, I) only the codes can move. A
    VAE with such a prior is one with N(0, I) whose posterior is bent by f^-1 (Chen et al. 2017,
    section 3.2).

    Args:
        latent_dim: length L of z.
        depth: number of coupling layers.
        width: units of the hidden layers in each.
    """

    def __init__(self, latent_dim: int, depth: int, width: int, **kwargs: Any) -> None:
        """Build the flow, the identity so far."""
        super().__init__(**kwargs)
        self.latent_dim, self.depth, self.width = latent_dim, depth, width
        self.flow = build_flow(latent_dim, depth, width)
        self.built = True

    def from_noise(self, u: Any) -> Any:
        """Return f(u)."""
        return call(self.flow, False, u=u)

    def to_noise(self, z: Any) -> Any:
        """Return f^-1(z)."""
        return self._inverse(z)[0]

    def log_prob(self, z: Any) -> Any:
        """Return log p(z) by the change of variables."""
        u, log_det = self._inverse(z)
        return log_standard_normal(u) + log_det

    def _inverse(self, z: Any) -> tuple[Any, Any]:
        """Return f^-1(z) and log|det df^-1/dz|: the layers' inverses, from the last layer on."""
        u, log_det = ops.cast(z, "float32"), 0.0
        for layer in reversed(self.flow.layers):
            if isinstance(layer, Coupling):
                u, more = layer.inverse(u)
                log_det = log_det + more
        return u, log_det

    def kl(self, mean: Any, logvar: Any, z: Any) -> Any:
        """Return an estimate of the KL: the entropy of q exactly, and log p at one draw of q.

        Its gradients are those of log q(z | x) - log p(z) at the draw (Chen et al. 2017, section
        3.2): the two differ by the noise's own log-density, which nothing trained can move.
        """
        entropy = 0.5 * ops.sum(ops.cast(logvar, "float32") + (1.0 + LOG_2PI), axis=-1)
        return -entropy - self.log_prob(z)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {
            **super().get_config(),
            "latent_dim": self.latent_dim,
            "depth": self.depth,
            "width": self.width,
        }


def log_standard_normal(u: Any) -> Any:
    """Return log N(u; 0, I), float32 (B,), of vectors (B, L)."""
    u = ops.cast(u, "float32")
    return -0.5 * ops.sum(u * u + LOG_2PI, axis=-1)


PRIORS: dict[str, Callable[[int, int, int], Prior]] = {
    "normal": lambda _latent_dim, _depth, _width: StandardNormal(name="prior"),
    "flow": lambda latent_dim, depth, width: Flow(latent_dim, depth, width, name="prior"),
}


def build_prior(name: str, latent_dim: int, depth: int, width: int) -> Prior:
    """Make the prior that a configuration names.

    Args:
        name: a key of :data:`PRIORS`.
        latent_dim: length of z.
        depth: coupling layers of a flow.
        width: units of their hidden layers.

    Raises:
        KgenError: there is no such prior; the message lists those there are.
    """
    if name not in PRIORS:
        raise unknown_name("prior", name, list(PRIORS))
    return PRIORS[name](latent_dim, depth, width)
