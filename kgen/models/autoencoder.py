"""Autoencoder and variational autoencoder (Kingma & Welling 2014)."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from statistics import NormalDist
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from kgen import noise as host_noise
from kgen.config import AEConfig, VAEConfig
from kgen.layers.sampling import Sampling
from kgen.likelihoods import LOG_2PI, build_likelihood
from kgen.models.generative import GenerativeModel, Noise, Progress, to_uint8
from kgen.networks import build_decoder, build_encoder, call
from kgen.priors import Flow, build_prior
from kgen.step import Objective

ACTIVE = 0.01
"""A latent is active where the variance of its mean over the data is above this (Burda 2016)."""


@keras.saving.register_keras_serializable(package="kgen")
class Autoencoder(GenerativeModel):
    """Compresses a picture to `latent_dim` numbers and back: min over networks of -log p(x|z).

    Nothing asks its latents to fill any known distribution, so there is nothing to sample them
    from: pictures decoded from z ~ N(0, I) show it. Pictures are in [0, 1].
    """

    config_class = AEConfig
    family = "ae"
    log_names: ClassVar = ("loss",)

    settings: AEConfig

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        c = self.settings
        self.encoder = build_encoder(c.network, c.latent_dim, self.image_shape, c.encoder_widths)
        self.decoder = build_decoder(c.network, c.latent_dim, self.image_shape, c.decoder_widths)
        self.likelihood = build_likelihood(c.likelihood, variance=c.variance)
        self.latent_variance = self.add_weight(
            name="latent_variance",
            shape=(c.latent_dim,),
            dtype="float32",
            initializer="zeros",
            trainable=False,
            autocast=False,
        )
        self.built = True

    @property
    def codes(self) -> tuple[str, ...]:
        """What :meth:`code` gives, by name: an autoencoder's log-variance is never trained."""
        return ("mean",)

    @property
    def parts(self) -> dict[str, keras.Model]:
        """The decoder, that draws pictures, and the encoder."""
        return {"decoder": self.decoder, "encoder": self.encoder}

    def scale(self, images: Any) -> Any:
        """Map uint8 to [0, 1]."""
        return ops.cast(images, "float32") / 255.0

    def draw(self, batch_size: int, seed: Any) -> Noise:
        """Draw nothing: an autoencoder is deterministic."""
        return {}

    def optimized(self) -> dict[str, list[keras.Variable]]:
        """The variables of encoder, decoder and likelihood, moved together."""
        modules = (self.encoder, self.decoder, self.likelihood)
        return {"model": [v for module in modules for v in module.trainable_variables]}

    def objectives(self, training: bool) -> Iterator[Objective]:
        """Yield the one objective."""
        yield Objective(
            loss=partial(self.loss_and_logs, training=training),
            variables=self.optimized()["model"],
            optimizer=self.optimizer.members["model"],
            name="model",
            independent=True,
        )

    def loss_and_logs(self, x: Any, labels: Any, noise: Noise, training: bool) -> Any:
        """Compute -log p(x | z) in nats per picture, with z = mean(x)."""
        code = call(self.encoder, training, image=x, label=labels)
        raw = call(self.decoder, training, z=code["mean"], label=labels)
        loss = -ops.mean(self.likelihood.log_prob(x, raw))
        return loss, {"loss": loss}

    def examine(self, images: np.ndarray) -> dict[str, float]:
        """Measure what is left of pictures, and count the latents in use.

        How much each latent varies is remembered for :meth:`manifold`. The squared error per pixel
        is to compare with PCA and never the loss: averaged over pixels, the error would weigh
        1 / (height width channels) against the KL in nats, and every latent would collapse.
        """
        means, _ = self.posterior(images)
        latents = self.to_noise(means)
        self.latent_variance.assign(latents.var(axis=0))
        error = (self.decode(latents) - images.astype(np.float32)) / 255.0
        return {
            "mse": float(np.mean(np.square(error))),
            "active_units": float(np.sum(means.var(axis=0) > ACTIVE)),
        }

    # What users and devices get, as functions of tensors.

    def picture(self, z: Any) -> Any:
        """Draw the mean of p(x | z), float32 (B, h, w, c) in [0, 1], for latents float (B, L)."""
        return self.likelihood.mean(call(self.decoder, False, z=z))

    def code(self, image: Any) -> dict[str, Any]:
        """Read the latents off pictures float (B, h, w, c) in [0, 1]: "mean", float32 (B, L)."""
        posterior = call(self.encoder, False, image=image)
        return {name: posterior[name] for name in self.codes}

    # Pictures.

    @cached_property
    def _encode(self) -> Callable[..., Any]:
        def encode(images: Any) -> Any:
            code = call(self.encoder, False, image=self.scale(images))
            return ops.concatenate([code["mean"], code["logvar"]], axis=-1)

        return self.inference(encode)

    @cached_property
    def _decode(self) -> Callable[..., Any]:
        return self.inference(self.picture)

    def posterior(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode uint8 pictures (n, h, w, c) to (mean, logvar), each float32 (n, latent_dim)."""
        mean, logvar = np.split(self.in_batches(self._encode, images), 2, axis=-1)
        return mean, logvar

    def to_noise(self, z: np.ndarray) -> np.ndarray:
        """Return what :meth:`decode` takes for draws z of the posterior: here z itself."""
        return z

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Encode uint8 pictures (n, h, w, c) to their latents, float32 (n, latent_dim)."""
        return self.to_noise(self.posterior(images)[0])

    def decode(self, z: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Turn latents float32 (n, latent_dim) into uint8 pictures: the mean of p(x | z)."""
        levels = partial(to_uint8, low=0.0, high=1.0)
        return self.in_batches(self._decode, z, progress=progress, finish=levels)

    def generate(
        self, n: int, *, seed: int = 0, start: int = 0, progress: Progress | None = None
    ) -> np.ndarray:
        """Decode `n` latents drawn from N(0, I), those of the pictures from `start` on."""
        length = self.settings.latent_dim
        z = host_noise.normal(seed, (n, length), start=start * length)
        return self.decode(z, progress)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Encode uint8 pictures (n, h, w, c) to their means and decode those."""
        return self.decode(self.embed(images))

    def interpolate(self, image_a: np.ndarray, image_b: np.ndarray, steps: int) -> np.ndarray:
        """Walk from one uint8 picture (h, w, c) to another along a line between their latents."""
        a, b = self.embed(np.stack([image_a, image_b]))
        s = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
        return self.decode((1 - s) * a + s * b)


@keras.saving.register_keras_serializable(package="kgen")
class VAE(Autoencoder):
    """An autoencoder whose latents are asked to look like a known p(z), so that it can be sampled.

    Minimises minus the evidence lower bound, in nats summed over pixels and latents (eq. 3, 7):

        -ELBO = -E_q(z|x)[log p(x|z)] + KL(q(z|x) || p(z))

    The prior p(z) is N(0, I), or a flow: z = f(u) with u ~ N(0, I) and f learned. The latents that
    :meth:`decode` takes and :meth:`embed` gives are u, so that they are standard normal whatever
    the prior; :meth:`posterior` and :meth:`log_prior` are of z. With N(0, I) the two are the same.

    `kl_weight` other than 1 is the beta-VAE (Higgins et al. 2017); the reported `elbo` is always
    the true bound.
    """

    config_class = VAEConfig
    family = "vae"
    log_names: ClassVar = ("loss", "elbo", "reconstruction", "kl", "bits_per_dim")

    settings: VAEConfig

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        c = self.settings
        self.built = False
        self.sampling = Sampling(name="sampling")
        self.prior = build_prior(c.prior, c.latent_dim, c.flow_depth, c.flow_width)
        self.built = True

    @property
    def parts(self) -> dict[str, keras.Model]:
        """The decoder, that draws pictures, the encoder, and the flow of a learned prior."""
        learned = {"prior": self.prior.flow} if isinstance(self.prior, Flow) else {}
        return {**super().parts, **learned}

    def optimized(self) -> dict[str, list[keras.Variable]]:
        """The variables of encoder, decoder, likelihood and prior, moved together."""
        return {"model": super().optimized()["model"] + self.prior.trainable_variables}

    def loss_and_logs(self, x: Any, labels: Any, noise: Noise, training: bool) -> Any:
        """Compute minus the ELBO, with one draw of z per picture (Kingma & Welling, eq. 7)."""
        code = call(self.encoder, training, image=x, label=labels)
        mean, logvar = code["mean"], code["logvar"]
        z = self.sampling(mean, logvar, eps=noise.get("eps"))
        raw = call(self.decoder, training, z=z, label=labels)
        reconstruction = -ops.mean(self.likelihood.log_prob(x, raw))
        kl = ops.mean(self.prior.kl(mean, logvar, z))
        elbo = -(reconstruction + kl)
        loss = reconstruction + self._kl_weight() * kl
        return loss, {
            "loss": loss,
            "elbo": elbo,
            "reconstruction": reconstruction,
            "kl": kl,
            "bits_per_dim": self.likelihood.bits_per_dim(elbo, math.prod(self.image_shape)),
        }

    def draw(self, batch_size: int, seed: Any) -> Noise:
        """Draw eps ~ N(0, I), one for each picture; in training by the sampling layer's seeds."""
        if isinstance(seed, keras.random.SeedGenerator):
            seed = self.sampling.seed_generator
        return {"eps": keras.random.normal((batch_size, self.settings.latent_dim), seed=seed)}

    def _kl_weight(self) -> Any:
        """The KL term's weight at this step: it rises linearly over `kl_warmup_steps`."""
        c = self.settings
        if c.kl_warmup_steps == 0:
            return c.kl_weight
        return c.kl_weight * ops.minimum(1.0, ops.cast(self.step, "float32") / c.kl_warmup_steps)

    def log_prior(self, z: Any) -> Any:
        """Return log p(z) of latents float (B, L), float32 (B,), nats summed over latents."""
        return self.prior.log_prob(z)

    @cached_property
    def _log_weight(self) -> Callable[..., Any]:
        def log_weight(images: Any, mean: Any, logvar: Any, eps: Any) -> Any:
            z = self.sampling(mean, logvar, eps=eps)
            raw = call(self.decoder, False, z=z)
            # log q(z | x), of which z - mean is what was added to it
            log_q = -0.5 * ops.sum(eps * eps + logvar + LOG_2PI, axis=-1)
            return self.likelihood.log_prob(self.scale(images), raw) + self.log_prior(z) - log_q

        return self.inference(log_weight)

    def log_weights(
        self, images: np.ndarray, mean: np.ndarray, logvar: np.ndarray, eps: np.ndarray,
        progress: Progress | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Compute log p(x, z) - log q(z | x) at one draw z of each picture's posterior.

        Its expectation is the ELBO; the mean of its exponential is p(x), so that k draws of a
        picture make a tighter bound. Source: Kingma & Welling (2014), eq. 2; Burda et al. (2016),
        eq. 8.

        Args:
            images: uint8 (n, h, w, c).
            mean, logvar: float32 (n, latent_dim), from :meth:`posterior`.
            eps: float32 (n, latent_dim), standard normal; z = mean + exp(logvar / 2) * eps.
            progress: called with (pictures done, n).

        Returns:
            float32 (n,), nats.
        """
        return self.in_batches(self._log_weight, images, mean, logvar, eps, progress=progress)

    def picture(self, z: Any) -> Any:
        """Draw the mean of p(x | f(z)), float32 (B, h, w, c) in [0, 1], for noise float (B, L)."""
        return super().picture(self.prior.from_noise(z))

    @property
    def codes(self) -> tuple[str, ...]:
        """Mean and log-variance of q; with a flow the mean only: bent by it, q is no Gaussian."""
        return ("mean",) if isinstance(self.prior, Flow) else ("mean", "logvar")

    def code(self, image: Any) -> dict[str, Any]:
        """Read the latents off pictures float (B, h, w, c) in [0, 1], float32 (B, L) each.

        With an N(0, I) prior, "mean" and "logvar" of q(z | x); with a flow "mean", the noise
        f^-1(mean) that q's mean is made of.
        """
        posterior = super().code(image)
        return {**posterior, "mean": self.prior.to_noise(posterior["mean"])}

    @cached_property
    def _to_noise(self) -> Callable[..., Any]:
        return self.inference(self.prior.to_noise)

    def to_noise(self, z: np.ndarray) -> np.ndarray:
        """Return the noise u = f^-1(z) that draws z of the posterior, float32 (n, L), come from."""
        return self.in_batches(self._to_noise, z)

    def variations(self, image: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
        """Draw `n` pictures similar to one uint8 picture (h, w, c): z ~ q(z | x), decoded."""
        mean, logvar = self.posterior(image[None])
        eps = host_noise.normal(seed, (n, self.settings.latent_dim))
        return self.decode(self.to_noise(mean + np.exp(logvar / 2) * eps))

    def manifold(self, side: int) -> np.ndarray:
        """Decode a `side` x `side` grid over the two latents that vary most; the others are 0.

        The grid holds the quantiles of N(0, 1) from 2 % to 98 % (Kingma & Welling 2014, figure 4),
        so that every picture stands for an equal share of the prior.
        """
        dims = sorted(np.argsort(ops.convert_to_numpy(self.latent_variance))[-2:])
        quantiles = [NormalDist().inv_cdf(p) for p in np.linspace(0.02, 0.98, side)]
        z = np.zeros((side, side, self.settings.latent_dim), np.float32)
        z[..., dims[0]] = np.array(quantiles)[None, :]
        z[..., dims[-1]] = np.array(quantiles[::-1])[:, None]
        return self.decode(z.reshape(side * side, -1))
