"""What tells a denoiser how noisy its input is."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

MAX_PERIOD = 10_000.0


@keras.saving.register_keras_serializable(package="kgen")
class TimeEmbedding(keras.layers.Layer):
    """Turns a timestep into a vector of sines and cosines that a network can tell apart.

    ``[sin(t * f) | cos(t * f)]``, ``f_i = 10000 ** (-i / (dim / 2))``, i = 0 .. dim/2 - 1. Computes
    in float32 whatever the dtype policy: half precision cannot count to 1000 in steps of 1.

    Sources: Vaswani et al. (2017), section 3.5; Ho et al. (2020), appendix B. The sines come
    first, then the cosines, where Vaswani et al. interleave them.

    Args:
        dim: length of the vector, even and at least 2.

    Raises:
        ValueError: `dim` is odd or too small, or t is not a vector.
    """

    def __init__(self, dim: int, **kwargs: Any) -> None:
        """Compute the frequencies once, as constants of the graph."""
        super().__init__(autocast=False, **kwargs)
        if not isinstance(dim, int) or dim < 2 or dim % 2:
            raise ValueError(f"dim is an even integer, at least 2. Received: dim={dim!r}.")
        self.dim = dim
        half = dim // 2
        self._frequencies = np.exp(-math.log(MAX_PERIOD) / half * np.arange(half)).astype("float32")
        self.built = True

    def call(self, t: Any) -> Any:
        """Embed timesteps.

        Args:
            t: int32 or float32 (B,), from 0 up.

        Returns:
            float32 (B, dim), in [-1, 1].
        """
        if len(t.shape) != 1:
            raise ValueError(f"t has shape (batch,). Received: t.shape={tuple(t.shape)}.")
        frequencies = ops.convert_to_tensor(self._frequencies, dtype="float32")
        angles = ops.multiply(
            ops.expand_dims(ops.cast(t, "float32"), 1), ops.expand_dims(frequencies, 0)
        )
        # cos(a) = 1 - 2 sin(a / 2)^2: some phones' accelerators have a sine only.
        half = ops.sin(0.5 * angles)
        return ops.concatenate([ops.sin(angles), 1.0 - 2.0 * half * half], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "dim": self.dim}
