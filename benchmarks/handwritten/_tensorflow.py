"""The loops in TensorFlow: one `tf.function`, gradient tapes, the fused Adam kernel."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.handwritten import EPSILON, Recipe


class Adam:
    """Adam by TensorFlow's own fused kernel, with clipping by the global norm."""

    def __init__(self, variables: list[Any], recipe: Recipe):
        self.values, self.config = variables, recipe.optimizer
        self.m = [tf.Variable(tf.zeros_like(v)) for v in variables]
        self.v = [tf.Variable(tf.zeros_like(v)) for v in variables]
        self.count = tf.Variable(tf.zeros(()))

    def apply(self, gradients: list[Any], rate: Any) -> None:
        """Move the variables once."""
        c = self.config
        if c.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, c.clip_norm)
        self.count.assign_add(1.0)
        powers = tf.pow(c.beta_1, self.count), tf.pow(c.beta_2, self.count)
        for value, m, v, gradient in zip(self.values, self.m, self.v, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=value.handle, m=m.handle, v=v.handle, beta1_power=powers[0],
                beta2_power=powers[1], lr=rate, beta1=c.beta_1, beta2=c.beta_2, epsilon=EPSILON,
                grad=gradient,
            )  # fmt: skip


class Loop:
    """Compiles a family's update and counts the steps."""

    def __init__(self, model: Any, recipe: Recipe):
        self.model, self.recipe, self.count = model, recipe, 0
        pairs = [
            (weight.value, average.value)
            for network, twin in model.averages
            for weight, average in zip(network.weights, twin.weights, strict=True)
        ]
        self.pairs = pairs
        self.compiled = tf.function(self._step, autograph=False, jit_compile=recipe.compiled)

    def step(self, images: np.ndarray, noise: dict[str, np.ndarray] | None = None) -> Any:
        """Update once."""
        rates = [
            tf.constant(self.recipe.rate(self.count, part), tf.float32)
            for part in ("discriminator", "")
        ]
        decay = tf.constant(self.recipe.decay(self.count), tf.float32)
        given = {name: tf.constant(value) for name, value in (noise or {}).items()}
        self.count += 1
        return self.compiled(tf.constant(images), rates, decay, given)

    def averages(self) -> list[np.ndarray]:
        """Wait, and return the weight averages."""
        return [average.numpy() for _, average in self.pairs]

    def _step(self, images: Any, rates: list[Any], decay: Any, noise: dict[str, Any]) -> Any:
        losses = self.update(images, rates, noise)
        for weight, average in self.pairs:
            average.assign(weight + decay * (average - weight))
        return losses

    def update(self, images: Any, rates: list[Any], noise: dict[str, Any]) -> dict[str, Any]:
        """Descend once; rates are the discriminator's and the others'."""
        raise TypeError("Each family has its own.")


class GAN(Loop):
    """Discriminator, then generator."""

    def __init__(self, model: Any, recipe: Recipe):
        super().__init__(model, recipe)
        self.of_d = [v.value for v in model.discriminator.trainable_variables]
        self.of_g = [v.value for v in model.generator.trainable_variables]
        self.d_adam, self.g_adam = Adam(self.of_d, recipe), Adam(self.of_g, recipe)

    def update(self, images: Any, rates: list[Any], noise: dict[str, Any]) -> dict[str, Any]:
        """Descend once."""
        c, d, g = self.model.settings, self.model.discriminator, self.model.generator
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        z = noise.get("z")
        if z is None:
            z = tf.random.normal((c.discriminator_steps + 1, images.shape[0], c.latent_dim))
        moves: Any = noise.get("direction")
        if moves is None and c.gradient_penalty:
            moves = tf.random.normal((c.discriminator_steps, *images.shape))
        d_loss: Any = None
        for turn in range(c.discriminator_steps):
            fake = g({"z": z[turn]}, training=True)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self.of_d)
                real_logits = d({"image": real}, training=True)
                fake_logits = d({"image": fake}, training=True)
                if self.model.relativistic:
                    d_loss = tf.reduce_mean(tf.nn.softplus(fake_logits - real_logits))
                else:
                    d_loss = tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(
                        tf.nn.softplus(fake_logits)
                    )
                whole = d_loss
                if c.gradient_penalty and moves is not None:
                    moved_logits = d({"image": real + 0.1 * moves[turn]}, training=True)
                    slope = (moved_logits - real_logits) / 0.1
                    whole += 0.5 * c.gradient_penalty * tf.reduce_mean(tf.square(slope))
            self.d_adam.apply(tape.gradient(whole, self.of_d), rates[0])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.of_g)
            fake_logits = d({"image": g({"z": z[-1]}, training=True)}, training=True)
            if self.model.relativistic:
                fake_logits -= d({"image": real}, training=True)
            g_loss = tf.reduce_mean(tf.nn.softplus(-fake_logits))
        self.g_adam.apply(tape.gradient(g_loss, self.of_g), rates[1])
        return {"d_loss": d_loss, "g_loss": g_loss}


class One(Loop):
    """Families with one objective."""

    def __init__(self, model: Any, recipe: Recipe):
        super().__init__(model, recipe)
        self.values = [v.value for v in model.optimized()["model"]]
        self.adam = Adam(self.values, recipe)

    def update(self, images: Any, rates: list[Any], noise: dict[str, Any]) -> dict[str, Any]:
        """Descend once."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.values)
            loss = self.loss(images, noise)
        self.adam.apply(tape.gradient(loss, self.values), rates[1])
        return {"loss": loss}

    def loss(self, images: Any, noise: dict[str, Any]) -> Any:
        """Compute the family's loss."""
        raise TypeError("Each family has its own.")


class VAE(One):
    """Minus the evidence lower bound."""

    def loss(self, images: Any, noise: dict[str, Any]) -> Any:
        """Compute it in nats per picture."""
        model = self.model
        x = tf.cast(images, tf.float32) / 255.0
        code = model.encoder({"image": x}, training=True)
        mean, logvar = code["mean"], code["logvar"]
        eps = noise.get("eps")
        if eps is None:
            eps = tf.random.normal(mean.shape)
        z = mean + eps * tf.exp(0.5 * logvar)
        raw = model.decoder({"z": z}, training=True)
        if model.settings.prior == "flow":
            kl = model.prior.kl(mean, logvar, z)
        else:
            kl = 0.5 * tf.reduce_sum(tf.exp(logvar) - 1.0 - logvar + mean * mean, -1)
        if model.settings.likelihood == "bernoulli":
            nats = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=raw)
            error = tf.reduce_sum(nats, (1, 2, 3))
        else:
            spread = tf.convert_to_tensor(model.likelihood.log_variance.value)
            squares = tf.reduce_sum(tf.square(x - tf.sigmoid(raw)), (1, 2, 3))
            count = math.prod(images.shape[1:])
            error = 0.5 * (count * (math.log(2 * math.pi) + spread) + squares * tf.exp(-spread))
        return tf.reduce_mean(error + model.settings.kl_weight * kl)


class DDPM(One):
    """The squared error of v."""

    def __init__(self, model: Any, recipe: Recipe):
        super().__init__(model, recipe)
        bars = model.schedule.tables.alpha_bars
        self.signal = tf.constant(np.sqrt(bars), tf.float32)
        self.noise = tf.constant(np.sqrt(1 - bars), tf.float32)

    def loss(self, images: Any, noise: dict[str, Any]) -> Any:
        """Compute it."""
        x0 = tf.cast(images, tf.float32) / 127.5 - 1.0
        t, eps = noise.get("t"), noise.get("eps")
        if t is None or eps is None:
            length = self.model.settings.num_timesteps
            t = tf.random.uniform((images.shape[0],), 0, length, tf.int32)
            eps = tf.random.normal(images.shape)
        a = tf.gather(self.signal, t)[:, None, None, None]
        s = tf.gather(self.noise, t)[:, None, None, None]
        v_hat = self.model.denoiser({"xt": a * x0 + s * eps, "t": t}, training=True)
        return tf.reduce_mean(tf.square(v_hat - (a * eps - s * x0)))


def loop(model: Any, recipe: Recipe) -> Loop:
    """Make the loop of a model's family."""
    return {"gan": GAN, "vae": VAE, "ddpm": DDPM}[model.family](model, recipe)
