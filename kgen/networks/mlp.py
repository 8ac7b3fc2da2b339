"""Fully connected networks: the first GANs and VAEs, and the programs of many study notes."""

import math
from typing import Any

import keras
from keras import layers

from kgen.layers.norm import BatchNormalization
from kgen.networks import blocks

BATCH_NORM_MOMENTUM = 0.8
"""How much of the running moments a step keeps; low, for runs of a few hundred steps."""


def generator(
    latent_dim: int,
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build Dense, leaky ReLU, batch norm at each level, then tanh: see `build_generator`."""
    inputs = {"z": blocks.latent_input(latent_dim)}
    x = blocks.with_class(inputs["z"], num_classes, inputs)
    for i, width in enumerate(widths or (256, 512, 1024)):
        x = layers.Dense(width, name=f"hidden{i}")(x)
        x = blocks.leaky_relu(x, f"hidden{i}")
        x = BatchNormalization(
            momentum=BATCH_NORM_MOMENTUM, dtype="float32", name=f"hidden{i}_norm"
        )(x)
    return keras.Model(inputs, _picture(x, image_shape, "tanh"), name=name)


def discriminator(
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    dropout: float,
    bias: bool,
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build Dense, leaky ReLU, dropout at each level, then a logit: see `build_discriminator`."""
    inputs = {"image": blocks.image_input(image_shape)}
    x = layers.Flatten(name="flatten")(inputs["image"])
    x = blocks.with_class(x, num_classes, inputs)
    for i, width in enumerate(widths or (512, 256)):
        x = layers.Dense(width, name=f"hidden{i}")(x)
        x = blocks.leaky_relu(x, f"hidden{i}")
        if dropout:
            x = layers.Dropout(dropout, name=f"hidden{i}_dropout")(x)
    return keras.Model(
        inputs, layers.Dense(1, use_bias=bias, dtype="float32", name="logit")(x), name=name
    )


def encoder(
    latent_dim: int,
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build ReLU layers, then the mean and the log-variance: see `build_encoder`."""
    inputs = {"image": blocks.image_input(image_shape)}
    x = layers.Flatten(name="flatten")(inputs["image"])
    x = _relu_layers(blocks.with_class(x, num_classes, inputs), widths or (400,))
    return keras.Model(inputs, blocks.posterior(x, latent_dim), name=name)


def decoder(
    latent_dim: int,
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build ReLU layers, then raw pixels: see `build_decoder`."""
    inputs = {"z": blocks.latent_input(latent_dim)}
    x = _relu_layers(blocks.with_class(inputs["z"], num_classes, inputs), widths or (400,))
    return keras.Model(inputs, _picture(x, image_shape, None), name=name)


def _relu_layers(x: Any, widths: tuple[int, ...]) -> Any:
    for i, width in enumerate(widths):
        x = layers.Dense(width, activation="relu", name=f"hidden{i}")(x)
    return x


def _picture(x: Any, image_shape: tuple[int, int, int], activation: str | None) -> Any:
    """Map features to one number per pixel and channel, float32."""
    x = layers.Dense(math.prod(image_shape), dtype="float32", name="pixels")(x)
    x = layers.Reshape(image_shape, dtype="float32", name="reshape")(x)
    return layers.Activation(activation or "linear", dtype="float32", name="output")(x)
