"""What several networks are made of: inputs, classes, changes of resolution, outputs.

All functions take and return Keras tensors; `name` is the prefix of the layers that they make.
Kernels are drawn by He et al. 2015 (fan-in), which keeps the scale through leaky ReLUs.
"""

from typing import Any

import keras
from keras import layers

from kgen.errors import KgenError
from kgen.layers.resample import DepthToSpace

HE = "he_normal"
SLOPE = 0.2
"""Slope of leaky ReLUs below zero (Radford et al. 2016, section 3)."""
CLASS_DIM = 32
"""Length of the vector that a class label becomes."""
SMALLEST = 8
"""Pixels down to which a network halves a picture's sides unless told otherwise."""


def image_input(image_shape: tuple[int, int, int], name: str = "image") -> Any:
    """Make the input for pictures, float32 (batch, height, width, channels)."""
    return keras.Input(image_shape, dtype="float32", name=name)


def latent_input(latent_dim: int) -> Any:
    """Make the input for latent vectors, float32 (batch, latent_dim)."""
    return keras.Input((latent_dim,), dtype="float32", name="z")


def label_input() -> Any:
    """Make the input for class labels, int32 (batch,)."""
    return keras.Input((), dtype="int32", name="label")


def class_vector(label: Any, num_classes: int, dim: int = CLASS_DIM) -> Any:
    """Look up the vector of each class, float32 (batch, dim)."""
    return layers.Embedding(num_classes, dim, dtype="float32", name="class_embedding")(label)


def with_class(features: Any, num_classes: int | None, inputs: dict[str, Any]) -> Any:
    """Append the class vector to (batch, n) features, and the label to `inputs`; or do nothing."""
    if num_classes is None:
        return features
    inputs["label"] = label_input()
    vector = class_vector(inputs["label"], num_classes)
    return layers.Concatenate(name="with_class")([features, vector])


def halvings(image_shape: tuple[int, int, int]) -> int:
    """Return how often a network halves a picture, unless told otherwise: 28 pixels twice.

    On until no side has more than `SMALLEST` pixels, or one is odd; at least twice.
    """
    height, width, _ = image_shape
    count = 2
    while max(height, width) > SMALLEST * 2**count and not (height | width) % 2 ** (count + 1):
        count += 1
    return count


def base_size(image_shape: tuple[int, int, int], levels: int) -> tuple[int, int]:
    """Return (height, width) from which `levels` doublings make a picture.

    Raises:
        KgenError: the sides do not divide that often.
    """
    height, width, _ = image_shape
    step = 2**levels
    if height % step or width % step:
        raise KgenError(
            f"{levels} levels of a network double height and width {levels} times, so both take "
            f"multiples of {step}. Received: height={height}, width={width}. Give the network "
            f"fewer levels, or set the image size to {max(step, round(height / step) * step)}."
        )
    return height // step, width // step


def leaky_relu(x: Any, name: str) -> Any:
    """Apply max(x, SLOPE * x)."""
    return layers.LeakyReLU(SLOPE, name=f"{name}_act")(x)


def downsample(x: Any, channels: int, name: str) -> Any:
    """Halve the resolution, rounding up, by a 4x4 convolution of stride 2."""
    return layers.Conv2D(
        channels, 4, strides=2, padding="same", kernel_initializer=HE, name=f"{name}_conv"
    )(x)


def upsample(x: Any, channels: int, name: str, initializer: str = HE) -> Any:
    """Double the resolution: a 2x2 transposed convolution of stride 2, as sub-pixels.

    Each output pixel has one input pixel, so there is no uneven overlap (no checkerboard); a 3x3
    convolution after it joins the blocks.
    """
    x = layers.Dense(4 * channels, kernel_initializer=initializer, name=f"{name}_up")(x)
    return DepthToSpace(2, name=f"{name}_pixels")(x)


def posterior(features: Any, latent_dim: int) -> dict[str, Any]:
    """Map features to the parameters of q(z | x), float32 (batch, latent_dim) each.

    The log-variance starts at 0 for every picture, the prior's: a random start would make KL
    terms of hundreds of nats in the first steps.
    """
    mean = layers.Dense(latent_dim, dtype="float32", name="mean")(features)
    logvar = layers.Dense(latent_dim, kernel_initializer="zeros", dtype="float32", name="logvar")(
        features
    )
    return {"mean": mean, "logvar": logvar}
