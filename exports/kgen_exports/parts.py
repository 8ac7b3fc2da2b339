"""What each family ships: its trained networks as plain models with named inputs and outputs.

Runs on Keras with the TensorFlow backend, in the process that converts. A part is a function of
tensors alone: no random numbers, no state, float32, the batch first in every input and output.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kgen.models.autoencoder import VAE, Autoencoder
from kgen.models.ddpm import DDPM
from kgen.models.gan import GAN
from kgen.models.generative import GenerativeModel
from kgen.networks import call
from kgen_exports.manifest import TensorSpec
from kgen_exports.sampler import SamplerTable


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One thing that is shipped.

    Attributes:
        name: what it is, and the start of its files' names.
        inputs: in the documented order, which is the files' order too.
        outputs: in the documented order.
        model: builds it: called with the list of inputs (one input: the tensor itself), returns
            a dict of outputs by name.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    model: Callable[[], keras.Model]


def _network(
    name: str,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    function: Callable[[dict[str, Any]], dict[str, Any]],
) -> Part:
    """Make a part of a function from Keras tensors by name to Keras tensors by name."""

    def model() -> keras.Model:
        tensors = {
            spec.name: keras.Input(spec.shape[1:], dtype=spec.dtype, name=spec.name)
            for spec in inputs
        }
        made = {
            key: keras.layers.Identity(dtype="float32", name=f"{key}_output")(tensor)
            for key, tensor in function(tensors).items()
        }
        return keras.Model(list(tensors.values()), made, name=name)

    return Part(name=name, inputs=inputs, outputs=outputs, model=model)


def image_range(model: GenerativeModel) -> tuple[float, float]:
    """Return the values of black and white in what a family's networks read and write."""
    return (0.0, 1.0) if isinstance(model, Autoencoder) else (-1.0, 1.0)


def parts_of(model: GenerativeModel) -> dict[str, Part]:
    """List the parts of a model by name, each one network; the sampler of a DDPM is not one.

    Args:
        model: float32, with trained weights.
    """
    makers: dict[type, Callable[[Any], list[Part]]] = {
        GAN: _gan,
        Autoencoder: _autoencoder,
        VAE: _autoencoder,
        DDPM: _ddpm,
    }
    return {part.name: part for part in makers[type(model)](model)}


def _gan(model: GAN) -> list[Part]:
    image = _image(model)
    return [
        _network(
            "generator",
            (_latent(model.settings.latent_dim),),
            (image,),
            lambda x: {"image": call(model.ema_generator, False, **x)},
        ),
        _network(
            "discriminator",
            (image,),
            (TensorSpec(name="logit", shape=(None, 1)),),
            lambda x: {"logit": call(model.discriminator, False, **x)},
        ),
    ]


def _autoencoder(model: Autoencoder) -> list[Part]:
    image, latent_dim = _image(model), model.settings.latent_dim
    return [
        _network(
            "decoder",
            (_latent(latent_dim),),
            (image,),
            lambda x: {"image": model.picture(**x)},
        ),
        _network(
            "encoder",
            (image,),
            tuple(TensorSpec(name=name, shape=(None, latent_dim)) for name in model.codes),
            lambda x: model.code(**x),
        ),
    ]


def _ddpm(model: DDPM) -> list[Part]:
    shape, prediction = (None, *model.image_shape), model.settings.prediction
    t = TensorSpec(
        name="t", shape=(None,), dtype="int32", range=(0, model.settings.num_timesteps - 1)
    )
    return [
        _network(
            "denoiser",
            (TensorSpec(name="xt", shape=shape), t),
            (TensorSpec(name=prediction, shape=shape),),
            lambda x: {prediction: call(model.ema_denoiser, False, **x)},
        )
    ]


def _latent(dim: int) -> TensorSpec:
    return TensorSpec(name="z", shape=(None, dim), distribution="standard_normal")


def _image(model: GenerativeModel) -> TensorSpec:
    return TensorSpec(name="image", shape=(None, *model.image_shape), range=image_range(model))


class SamplerModel(keras.Model):
    """The whole sampler of a diffusion model as one loop in one graph: noise in, pictures out.

    Args:
        denoiser: from xt and t to its prediction.
        table: the coefficients of every step.
    """

    def __init__(self, denoiser: keras.Model, table: SamplerTable, **kwargs: Any):
        super().__init__(**kwargs)
        self.denoiser = denoiser
        self.table = table
        self.built = True

    def call(self, inputs: Any) -> dict[str, Any]:
        """Walk all steps by a loop of the backend, whose body is in the graph once.

        Args:
            inputs: noise x_T, float32 (B, H, W, C) with a known B; or a list of it and
                step_noise, float32 (B, S, H * W * C), what each step adds.

        Returns:
            image, float32 (B, H, W, C) in [-1, 1].
        """
        noise, step_noise = inputs if isinstance(inputs, list) else (inputs, None)
        ts = ops.convert_to_tensor(np.asarray(self.table.timesteps, "int32"))
        rows = ops.convert_to_tensor(self.table.coefficients())  # (S, 6)
        shape = tuple(noise.shape)

        def step(i: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
            xt, *x0_last = state
            t = ops.broadcast_to(ops.take(ts, i, axis=0), shape[:1])
            prediction = call(self.denoiser, False, xt=xt, t=t)
            c = ops.take(rows, i, axis=0)
            x0_hat = ops.clip(c[0] * xt + c[1] * prediction, -1.0, 1.0)
            x_prev = c[2] * x0_hat + c[3] * xt
            if x0_last:
                x_prev = x_prev + c[4] * x0_last[0]
            if step_noise is not None:
                x_prev = x_prev + c[5] * ops.reshape(ops.take(step_noise, i, axis=1), shape)
            return (x_prev, x0_hat) if x0_last else (x_prev,)

        # Phones' memory: x0_hat is kept for the next step only where that reads it.
        start = (noise, ops.zeros_like(noise)) if self.table.multistep else (noise,)
        return {"image": ops.fori_loop(0, self.table.num_steps, step, start)[0]}


def sampler_table(model: DDPM, **options: Any) -> SamplerTable:
    """Turn a plan of the model's own sampler into a table for other programs.

    Args:
        model: whose schedule and prediction count.
        options: ``sampler``, ``num_steps``, ``eta``, ``variance``, as for `DDPM.plan`.
    """
    return SamplerTable.of(
        model.plan(**options), model.settings.prediction, model.schedule.tables.alpha_bars
    )


def sampler_part(model: DDPM, table: SamplerTable) -> Part:
    """Describe the sampler as a part; its model is made by a loop, not by layers."""
    shape = (None, *model.image_shape)
    inputs = [TensorSpec(name="noise", shape=shape, distribution="standard_normal")]
    if table.stochastic:
        inputs.append(
            TensorSpec(
                name="step_noise",
                shape=(None, table.num_steps, math.prod(model.image_shape)),
                distribution="standard_normal",
            )
        )
    return Part(
        name="sampler",
        inputs=tuple(inputs),
        outputs=(_image(model),),
        model=lambda: SamplerModel(model.ema_denoiser, table, name="sampler"),
    )
