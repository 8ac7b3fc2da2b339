"""The networks under test: every builder of every kind, small where size does not matter."""

import zlib
from typing import Any

import keras
import numpy as np
from keras import ops

from kgen import networks

LATENT = 8
CLASSES = 3
Shape = tuple[int, int, int]


def generator(kind: str, shape: Shape, **kw: Any) -> keras.Model:
    return networks.build_generator(kind, LATENT, shape, WIDTHS[kind]["grow"], **kw)


def discriminator(kind: str, shape: Shape, **kw: Any) -> keras.Model:
    return networks.build_discriminator(kind, shape, WIDTHS[kind]["shrink"], dropout=0.3, **kw)


def encoder(kind: str, shape: Shape, **kw: Any) -> keras.Model:
    return networks.build_encoder(kind, LATENT, shape, WIDTHS[kind]["shrink"], **kw)


def decoder(kind: str, shape: Shape, **kw: Any) -> keras.Model:
    return networks.build_decoder(kind, LATENT, shape, WIDTHS[kind]["grow"], **kw)


def denoiser(kind: str, shape: Shape, **kw: Any) -> keras.Model:
    return networks.build_denoiser(shape, WIDTHS[kind]["shrink"], num_heads=2, **kw)


WIDTHS = {
    "conv": {"grow": (16, 8), "shrink": (8, 16)},
    "mlp": {"grow": (12, 20), "shrink": (20, 12)},
}
CASES = {
    f"{kind}_{build.__name__}": (build, kind)
    for kind, builders in {
        "conv": (generator, discriminator, encoder, decoder, denoiser),
        "mlp": (generator, discriminator, encoder, decoder),
    }.items()
    for build in builders
}


def build(case: str, shape: Shape = (16, 16, 1), **kw: Any) -> keras.Model:
    """Build a case by name."""
    builder, kind = CASES[case]
    return builder(kind, shape, **kw)


def tensors(shape: Shape = (16, 16, 1), batch: int = 3) -> dict[str, Any]:
    """Make one array for every input that any network has, the same on every backend."""
    rng = np.random.Generator(np.random.Philox(7))
    image = rng.uniform(-1, 1, (batch, *shape)).astype("float32")
    return {
        "z": rng.normal(size=(batch, LATENT)).astype("float32"),
        "image": image,
        "xt": image,
        "t": rng.integers(0, 1000, batch).astype("int32"),
        "label": (np.arange(batch) % CLASSES).astype("int32"),
    }


def outputs(model: keras.Model, inputs: dict[str, Any], training: bool = False) -> list[np.ndarray]:
    """Run a network; return its outputs in the order of their names."""
    result = networks.call(model, training, **inputs)
    parts = [result[k] for k in sorted(result)] if isinstance(result, dict) else [result]
    return [ops.convert_to_numpy(part) for part in parts]


def set_weights(model: keras.Model) -> None:
    """Fill a network with numbers that depend on each weight's path only, of trained size.

    Matrices get the scale that keeps the scale of activations, vectors values about their usual
    ones (a norm's gain about 1), so that every weight matters in the output.
    """
    for variable in model.weights:
        if "seed_generator" in variable.path:
            continue
        rng = np.random.Generator(np.random.Philox(zlib.crc32(variable.path.encode())))
        value = rng.normal(size=variable.shape)
        if len(variable.shape) > 1:
            value = value / np.sqrt(np.prod(variable.shape[:-1]))
        elif variable.path.endswith(("gamma", "moving_variance")):
            value = np.exp(0.3 * value)
        else:
            value = 0.1 * value
        variable.assign(value.astype("float32"))
