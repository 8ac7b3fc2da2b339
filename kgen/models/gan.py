"""Generative adversarial network (Goodfellow et al. 2014)."""

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from kgen import losses
from kgen import noise as host_noise
from kgen.config import GANConfig
from kgen.models.generative import GenerativeModel, Noise, Progress, following, to_uint8
from kgen.networks import build_discriminator, build_generator, call
from kgen.step import Objective

PENALTY_DISTANCE = 0.1
"""How far, in pixels of [-1, 1], the gradient penalty moves a picture: a grey level is 0.008."""


@keras.saving.register_keras_serializable(package="kgen")
class GAN(GenerativeModel):
    """Two players: the discriminator tells real from fake, the generator learns to fool it.

    One step is one turn of Algorithm 1: `discriminator_steps` updates of the discriminator, each
    on fresh fakes, then one of the generator. Pictures are in [-1, 1].
    """

    config_class = GANConfig
    family = "gan"
    log_names: ClassVar = ("d_loss", "g_loss", "d_real", "d_fake")
    noise_axis: ClassVar = 1

    settings: GANConfig

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        c = self.settings
        self.generator = self._build_generator("generator")
        self.discriminator = build_discriminator(
            c.network,
            self.image_shape,
            c.discriminator_widths,
            dropout=c.dropout,
            bias=not self.relativistic,
        )
        self.ema_generator = self.average_of(self.generator, self._build_generator("ema_generator"))
        self.built = True

    def _build_generator(self, name: str) -> keras.Model:
        c = self.settings
        return build_generator(
            c.network, c.latent_dim, self.image_shape, c.generator_widths, name=name
        )

    @property
    def relativistic(self) -> bool:
        """Whether the discriminator judges pairs: its logits are then known up to a constant."""
        return self.settings.loss == "relativistic"

    @property
    def parts(self) -> dict[str, keras.Model]:
        """The generator that draws pictures (the average), and the discriminator."""
        return {"generator": self.ema_generator, "discriminator": self.discriminator}

    @property
    def references(self) -> dict[str, tuple[float, str]]:
        """What a discriminator says that can only guess, as at the equilibrium."""
        # Goodfellow et al. (2014), theorem 1: two answers a turn. Of a pair it is one.
        guess = (np.log(2), "log 2") if self.relativistic else (np.log(4), "log 4")
        return {"d_loss": guess, "d_real": (0.5, "")}

    def scale(self, images: Any) -> Any:
        """Map uint8 to [-1, 1], the range of the generator's tanh."""
        return ops.cast(images, "float32") / 127.5 - 1.0

    def draw(self, batch_size: int, seed: Any) -> Noise:
        """Draw z ~ N(0, I): one for each discriminator update, one for the generator's.

        With a gradient penalty also `direction` ~ N(0, I), shaped as the pictures: where each
        discriminator update looks.
        """
        c = self.settings
        shape = (c.discriminator_steps + 1, batch_size, c.latent_dim)
        noise = {"z": keras.random.normal(shape, seed=seed)}
        if c.gradient_penalty:
            shape = (c.discriminator_steps, batch_size, *self.image_shape)
            noise["direction"] = keras.random.normal(shape, seed=following(seed))
        return noise

    def optimized(self) -> dict[str, list[keras.Variable]]:
        """The discriminator's and the generator's variables."""
        return {
            "discriminator": self.discriminator.trainable_variables,
            "generator": self.generator.trainable_variables,
        }

    def updates(self) -> dict[str, int]:
        """The discriminator's k updates of a step."""
        return {"discriminator": self.settings.discriminator_steps}

    def objectives(self, training: bool) -> Iterator[Objective]:
        """Yield the discriminator's objective k times, then the generator's."""
        variables = self.optimized()
        for turn in range(self.settings.discriminator_steps):
            yield Objective(
                loss=partial(self.discriminator_loss, turn=turn, training=training),
                variables=variables["discriminator"],
                optimizer=self.optimizer.members["discriminator"],
                name=f"discriminator_{turn}",
            )
        yield Objective(
            loss=partial(self.generator_loss, training=training),
            variables=variables["generator"],
            optimizer=self.optimizer.members["generator"],
            name="generator",
        )

    def discriminator_loss(
        self, real: Any, labels: Any, noise: Noise, turn: int, training: bool
    ) -> Any:
        """How badly the discriminator tells real from fake: minus eq. 1, as a function of D.

        The gradient penalty is part of what is minimised, but not of the `d_loss` that is reported.
        """
        z = noise["z"][turn]
        fake = ops.stop_gradient(call(self.generator, training, z=z, label=labels))
        real_logits = call(self.discriminator, training, image=real, label=labels)
        fake_logits = call(self.discriminator, training, image=fake, label=labels)
        if self.relativistic:
            # D judges pairs: what it says of a picture is what it says beside its partner.
            loss = losses.relativistic_discriminator(real_logits, fake_logits)
            ahead = real_logits - fake_logits
            said = ops.sigmoid(ahead), ops.sigmoid(-ahead)
        else:
            loss = losses.minimax_discriminator(real_logits, fake_logits)
            said = ops.sigmoid(real_logits), ops.sigmoid(fake_logits)
        logs = {"d_loss": loss, "d_real": ops.mean(said[0]), "d_fake": ops.mean(said[1])}
        if weight := self.settings.gradient_penalty:
            if self.settings.dropout:
                # Two readings under different dropout differ whatever the slope: do without it.
                real_logits = call(self.discriminator, False, image=real, label=labels)
            moved = real + PENALTY_DISTANCE * noise["direction"][turn]
            moved_logits = call(self.discriminator, False, image=moved, label=labels)
            penalty = losses.gradient_penalty(real_logits, moved_logits, PENALTY_DISTANCE)
            loss = loss + weight * penalty
        return loss, logs

    def generator_loss(self, real: Any, labels: Any, noise: Noise, training: bool) -> Any:
        """How badly the generator fools the discriminator, by the loss that `loss` names."""
        fake = call(self.generator, training, z=noise["z"][-1], label=labels)
        fake_logits = call(self.discriminator, training, image=fake, label=labels)
        if self.relativistic:
            real_logits = call(self.discriminator, training, image=real, label=labels)
            loss = losses.relativistic_generator(real_logits, fake_logits)
        else:
            loss = losses.GENERATOR_LOSSES[self.settings.loss](fake_logits)
        return loss, {"g_loss": loss}

    def decode(self, z: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Turn latents float32 (n, latent_dim) into uint8 pictures (n, height, width, channels)."""
        levels = partial(to_uint8, low=-1.0, high=1.0)
        return self.in_batches(self._decode, z, progress=progress, finish=levels)

    @cached_property
    def _decode(self) -> Callable[..., Any]:
        return self.inference(lambda z: call(self.ema_generator, False, z=z))

    @cached_property
    def _discriminate(self) -> Callable[..., Any]:
        return self.inference(
            lambda images: call(self.discriminator, False, image=self.scale(images))
        )

    def discriminate(self, images: np.ndarray) -> np.ndarray:
        """Ask the discriminator about pictures uint8 (n, h, w, c).

        Returns:
            float32 (n,), logits: sigmoid of them is the probability that a picture is real; of a
            `relativistic` discriminator sigmoid of their difference that the first of two is.
        """
        return self.in_batches(self._discriminate, images).reshape(len(images))

    def generate(
        self, n: int, *, seed: int = 0, start: int = 0, progress: Progress | None = None
    ) -> np.ndarray:
        """Draw `n` pictures from `start` on; a seed gives the same latents on every backend."""
        length = self.settings.latent_dim
        z = host_noise.normal(seed, (n, length), start=start * length)
        return self.decode(z, progress)

    def interpolate(self, seed_a: int, seed_b: int, steps: int) -> np.ndarray:
        """Walk from the first picture of one seed to that of another in `steps` pictures.

        The latents follow the great circle (White 2016): the straight line passes through the
        centre, where a high-dimensional Gaussian has no mass.
        """
        a, b = (host_noise.normal(seed, (1, self.settings.latent_dim)) for seed in (seed_a, seed_b))
        return self.decode(great_circle(a[0], b[0], steps))


def great_circle(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Interpolate spherically from `a` to `b`, both (d,): float32 (steps, d), ends included."""
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    omega = np.arccos(np.clip(cosine, -1.0, 1.0))
    s = np.linspace(0.0, 1.0, steps)[:, None]
    if np.sin(omega) < 1e-6:
        return ((1 - s) * a + s * b).astype(np.float32)
    weights = np.sin((1 - s) * omega) * a + np.sin(s * omega) * b
    return (weights / np.sin(omega)).astype(np.float32)
