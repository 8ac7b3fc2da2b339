"""How much a training step has to multiply: FLOPs from the layers' shapes, on any backend.

Counted are products, where all but a few per cent of the work is: convolutions, dense layers and
the two products of attention, 2 FLOPs for each multiply-add. A layer's gradients cost its forward
pass once more for its weights and once more for its input, where somebody needs them: nothing
needs the gradient of pictures, nor of the discriminator's weights in the generator's objective.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from kgen.layers.attention import SelfAttention2D
from kgen.layers.coupling import Coupling

Product = tuple[int, bool]
"""FLOPs of a product, and whether one of its factors is a weight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """FLOPs of one network for one picture.

    Attributes:
        forward: of calling it.
        backward: of the gradients that the call's place in a loss asks for.
    """

    forward: int
    backward: int

    @property
    def both(self) -> int:
        """FLOPs of the call and its gradients."""
        return self.forward + self.backward


def per_picture(model: Any) -> int:
    """Count the FLOPs of one training step of a GAN, VAE or DDPM, by the pictures of the batch."""
    return {"gan": _gan, "vae": _vae, "ddpm": _ddpm}[model.family](model)


def work(network: Any, *, trained: bool = True, differentiable: bool = False) -> Work:
    """Count the FLOPs of one call of a functional network, for one picture.

    Args:
        network: with fixed shapes but for the batch.
        trained: whether gradients of its weights are asked for.
        differentiable: whether gradients of its inputs are.

    Raises:
        TypeError: a layer has a matrix of weights, and is none of those that are counted here.
    """
    forward = backward = 0
    reached = {id(tensor) for tensor in network.inputs} if differentiable else set()
    for layer in network.operations:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        passes = any(id(tensor) in reached for tensor in keras.tree.flatten(layer.input))
        moves = trained and bool(layer.trainable_weights)
        found = list(products(layer))
        forward += sum(flops for flops, _ in found)
        backward += _gradients(found, moves, passes)
        if passes or moves:
            reached |= {id(tensor) for tensor in keras.tree.flatten(layer.output)}
    return Work(forward=forward, backward=backward)


def products(layer: Any) -> Iterator[Product]:
    """Yield the products of a layer for one picture, each after those that it needs."""
    shape = layer.input[0].shape if isinstance(layer.input, list) else layer.input.shape
    match layer:
        case keras.layers.Conv2D():
            yield 2 * _places(layer.output.shape) * math.prod(layer.kernel.shape), True
        case keras.layers.Conv2DTranspose():
            # Every pixel that is read is multiplied by the whole kernel.
            yield 2 * _places(shape) * math.prod(layer.kernel.shape), True
        case keras.layers.Dense():
            yield _dense(layer, _places(shape)), True
        case SelfAttention2D():
            pixels, channels = _places(shape), shape[-1]
            yield _dense(layer.qkv, pixels), True
            yield from [(2 * pixels * pixels * channels, False)] * 2
            yield _dense(layer.out, pixels), True
        case Coupling():
            for part in (*layer.hidden, layer.log_scale, layer.shift):
                yield _dense(part, 1), True
        case _ if any(len(weight.shape) > 1 for weight in layer.weights):
            raise TypeError(f"Expected a layer that is counted. Received: {layer!r}.")


def _dense(layer: Any, places: int) -> int:
    """Count a dense layer at so many places."""
    return 2 * places * math.prod(layer.kernel.shape)


def _places(shape: Any) -> int:
    """Return how many vectors of channels a picture (batch, ..., channels) has."""
    return math.prod(shape[1:-1])


def _gradients(found: list[Product], moves: bool, passes: bool) -> int:
    """Count what a layer's gradients cost.

    Args:
        found: the layer's products, in order.
        moves: whether its weights' gradients are asked for.
        passes: whether its input's are.
    """
    total = 0
    for flops, weighted in found:
        total += flops * (moves + passes) if weighted else 2 * flops * passes
        passes = passes or moves
    return total


def _gan(model: Any) -> int:
    """Count k turns of the discriminator, then one of the generator.

    In a discriminator's turn the generator is only called; the discriminator reads real and fake
    pictures, with a gradient penalty also moved ones, and with dropout the real ones again. In the
    generator's turn gradients pass through the discriminator, which reads the real pictures once
    more if it compares them with fakes.
    """
    c = model.settings
    readings = 2
    if c.gradient_penalty:
        readings += 2 if c.dropout else 1
    turn = work(model.generator).forward + readings * work(model.discriminator).both
    judged = work(model.discriminator, trained=False, differentiable=True).both
    if model.relativistic:
        judged += work(model.discriminator).forward
    return c.discriminator_steps * turn + work(model.generator).both + judged


def _vae(model: Any) -> int:
    """Count encoder, decoder, and a learned prior, through which gradients reach the encoder."""
    total = work(model.encoder).both + work(model.decoder, differentiable=True).both
    if model.settings.prior == "flow":
        total += work(model.prior.flow, differentiable=True).both
    return total


def _ddpm(model: Any) -> int:
    """Count the denoiser."""
    return work(model.denoiser).both
