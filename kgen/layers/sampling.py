"""The reparameterization trick as a layer."""

from typing import Any

import keras
from keras import ops


def _float32(x: Any) -> Any:
    return ops.cast(x, "float32")


@keras.saving.register_keras_serializable(package="kgen")
class Sampling(keras.layers.Layer):
    """Draws a latent vector z from N(mean, exp(logvar)) so that gradients reach mean and logvar.

    ``z = mean + exp(logvar / 2) * eps``, eps ~ N(0, I). The noise comes from the layer's own seed
    generator, whose state is a variable: each call, compiled or not, draws anew. Computes in
    float32 whatever the dtype policy.

    Source: Kingma & Welling (2014), section 2.4 and eq. 10.

    Args:
        seed: int that starts the stream of noise, or None for an arbitrary one.

    Raises:
        ValueError: `seed` is neither, or the call lacks `logvar`.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        """Own a seed generator: noise from elsewhere would be constant under JAX's jit."""
        super().__init__(autocast=False, **kwargs)
        if seed is not None and not isinstance(seed, int):
            raise ValueError(f"seed is an int or None. Received: seed={seed!r}.")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, mean: Any, logvar: Any = None, eps: Any = None) -> Any:
        """Draw one z for each row.

        Args:
            mean: float (B, L), or a dict with "mean" and "logvar" (an encoder's output).
            logvar: float (B, L), natural logarithm of the variance.
            eps: float (B, L) standard normal, made by the caller; None draws it here.

        Returns:
            float32 (B, L).
        """
        if isinstance(mean, dict):
            mean, logvar = mean["mean"], mean["logvar"]
        if logvar is None:
            raise ValueError(
                "Sampling takes mean and logvar, or a dict of both. Received: logvar=None. "
                'Call it as sampling(mean, logvar) or sampling({"mean": mean, "logvar": logvar}).'
            )
        if eps is None:
            shape = ops.shape(mean)
            eps = keras.random.normal(shape, dtype="float32", seed=self.seed_generator)
        return _float32(mean) + _float32(eps) * ops.exp(0.5 * _float32(logvar))

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "seed": self.seed}
