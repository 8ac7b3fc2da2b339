"""The networks that the families train, built by name.

Every builder returns a functional `keras.Model` with a dict of inputs under stable names and
explicit layer names, so that weights fit the same network in every process and on every backend.
Inside, tensors have rank 4 at most, no random numbers are drawn (but for the discriminator's
dropout), and outputs are float32 under every dtype policy: what a device can run is decided here,
not at export.

`widths` are the sizes of a network's levels in the order in which data flow through it: units of
hidden layers (`mlp`), channels at each resolution (`conv`). Empty means the network's own default.
Every level of a `conv` network halves or doubles height and width: what makes pictures makes sides
that double often enough, what only reads them takes any, as the greater half of an odd side. By
default it has two levels up to 32 pixels, three up to 64, four up to 128, where sides are even that
often; a discriminator has one more.

The defaults of `conv` have, for 28x28 grey pictures, 220,000 parameters (generator, latent_dim 64),
167,000 (discriminator), 234,000 and 122,000 (encoder and decoder, latent_dim 32), 290,000 (flow of
depth 10 and width 128) and 360,000 (denoiser).

Importing this module does not import Keras.
"""

import difflib
import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kgen.errors import KgenError

if TYPE_CHECKING:
    import keras

ImageShape = tuple[int, int, int]
Widths = tuple[int, ...]

NETWORKS = {"mlp": "kgen.networks.mlp", "conv": "kgen.networks.conv"}


def build_generator(
    network: str,
    latent_dim: int,
    image_shape: ImageShape,
    widths: Widths = (),
    *,
    num_classes: int | None = None,
    name: str = "generator",
) -> "keras.Model":
    """Build what turns noise into pictures, for a GAN.

    Args:
        network: a key of `NETWORKS`.
        latent_dim: length of z.
        image_shape: (height, width, channels).
        widths: see the module; default (256, 512, 1024) for `mlp`, (64, ..., 64, 32)
            for `conv`.
        num_classes: with it the network takes a class label as a second input.
        name: the model's name.

    Returns:
        Model ``{"z": (batch, latent_dim)[, "label": int32 (batch,)]}`` -> float32
        (batch, height, width, channels) in (-1, 1), through tanh.

    Raises:
        KgenError: an unknown network, or a size that it cannot make.
    """
    return _module(network).generator(latent_dim, image_shape, tuple(widths), num_classes, name)


def build_discriminator(
    network: str,
    image_shape: ImageShape,
    widths: Widths = (),
    *,
    dropout: float = 0.0,
    bias: bool = True,
    num_classes: int | None = None,
    name: str = "discriminator",
) -> "keras.Model":
    """Build what tells real pictures from generated ones, for a GAN.

    Args:
        network: a key of `NETWORKS`.
        image_shape: (height, width, channels).
        widths: see the module; default (512, 256) for `mlp`, (32, 64, 128, 128, ...)
            for `conv`.
        dropout: share of features dropped after each level while training.
        bias: whether a constant is added to the logit; a loss of differences cannot learn it, and
            would move it by nothing but rounding.
        num_classes: with it the network takes a class label as a second input.
        name: the model's name.

    Returns:
        Model ``{"image": (batch, height, width, channels)[, "label": int32 (batch,)]}`` ->
        float32 logits (batch, 1): the log odds of being real.

    Raises:
        KgenError: an unknown network.
    """
    return _module(network).discriminator(
        image_shape, tuple(widths), dropout, bias, num_classes, name
    )


def build_encoder(
    network: str,
    latent_dim: int,
    image_shape: ImageShape,
    widths: Widths = (),
    *,
    num_classes: int | None = None,
    name: str = "encoder",
) -> "keras.Model":
    """Build what maps a picture to q(z | x), for a VAE; an AE uses its mean.

    Args:
        network: a key of `NETWORKS`.
        latent_dim: length of z.
        image_shape: (height, width, channels).
        widths: see the module; default (400,) for `mlp`, (32, 64) for `conv`.
        num_classes: with it the network takes a class label as a second input.
        name: the model's name.

    Returns:
        Model ``{"image": (batch, height, width, channels)[, "label": int32 (batch,)]}`` ->
        ``{"mean", "logvar"}``, each float32 (batch, latent_dim).

    Raises:
        KgenError: an unknown network.
    """
    return _module(network).encoder(latent_dim, image_shape, tuple(widths), num_classes, name)


def build_decoder(
    network: str,
    latent_dim: int,
    image_shape: ImageShape,
    widths: Widths = (),
    *,
    num_classes: int | None = None,
    name: str = "decoder",
) -> "keras.Model":
    """Build what maps z to the raw parameters of p(x | z), for a VAE or an AE.

    Args:
        network: a key of `NETWORKS`.
        latent_dim: length of z.
        image_shape: (height, width, channels).
        widths: see the module; default (400,) for `mlp`, (64, 32) for `conv`.
        num_classes: with it the network takes a class label as a second input.
        name: the model's name.

    Returns:
        Model ``{"z": (batch, latent_dim)[, "label": int32 (batch,)]}`` -> float32
        (batch, height, width, channels), any real number: the likelihood makes it a picture.

    Raises:
        KgenError: an unknown network, or a size that it cannot make.
    """
    return _module(network).decoder(latent_dim, image_shape, tuple(widths), num_classes, name)


def build_flow(latent_dim: int, depth: int, width: int) -> "keras.Model":
    """Build what bends noise into latents, invertibly, for a VAE with a learned prior.

    Args:
        latent_dim: length of z and of the noise u.
        depth: number of coupling layers; from 2 * ceil(log2(latent_dim)) on, there is one for
            every two latents in which one moves the other.
        width: units of the two hidden layers in each.

    Returns:
        Model ``{"u": (batch, latent_dim)}`` -> z, float32 (batch, latent_dim), the identity before
        training; its layers, but for the input, are `kgen.layers.coupling.Coupling`.
    """
    flow = importlib.import_module("kgen.networks.flow")
    return flow.flow(latent_dim, depth, width)


def build_denoiser(
    image_shape: ImageShape,
    widths: Widths = (),
    *,
    patch_size: int = 2,
    num_blocks: int = 1,
    num_heads: int = 4,
    num_classes: int | None = None,
    name: str = "denoiser",
) -> "keras.Model":
    """Build the U-Net that says what is noise in a noisy picture, for diffusion.

    Args:
        image_shape: (height, width, channels).
        widths: channels at each resolution, finest first; default (32, 64, 64, ...).
        patch_size: pixels on a side of the patches that the first layer reads and the last one
            writes; 1 works at full resolution, at about patch_size^2 times the cost.
        num_blocks: residual blocks at each resolution, on the way down and on the way up.
        num_heads: heads of the attention at the lowest resolution.
        num_classes: with it the network takes a class label as a third input.
        name: the model's name.

    Returns:
        Model ``{"xt": (batch, height, width, channels), "t": int32 (batch,)
        [, "label": int32 (batch,)]}`` -> float32 (batch, height, width, channels), zero before
        training: eps, x0 or v, whichever it is trained to predict.

    Raises:
        KgenError: a size that it cannot read.
    """
    unet = importlib.import_module("kgen.networks.unet")
    return unet.denoiser(
        image_shape,
        tuple(widths),
        unet.Shape(patch_size=patch_size, num_blocks=num_blocks, num_heads=num_heads),
        num_classes,
        name,
    )


def call(network: "keras.Model", training: bool, **tensors: Any) -> Any:
    """Run a network on those of the tensors that it has inputs for.

    A caller passes ``label`` always; a network built without `num_classes` does not get it.

    Args:
        network: a model of one of the builders.
        training: whether dropout drops and batch statistics are used and learned.
        **tensors: inputs by name; a superset of the network's.

    Raises:
        KgenError: an input is missing.
    """
    names = [tensor.name for tensor in network.inputs]
    missing = [name for name in names if tensors.get(name) is None]
    if missing:
        raise KgenError(
            f"The network {network.name!r} takes {', '.join(names)}. "
            f"Received: {', '.join(tensors)}; missing: {', '.join(missing)}."
        )
    return network({name: tensors[name] for name in names}, training=training)


def _module(network: str) -> ModuleType:
    """Import the module that builds a kind of network.

    Raises:
        KgenError: there is no such kind.
    """
    if network not in NETWORKS:
        near = difflib.get_close_matches(network, NETWORKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise KgenError(
            f"network takes {' | '.join(NETWORKS)}.{hint} Received: network={network!r}."
        )
    return importlib.import_module(NETWORKS[network])
