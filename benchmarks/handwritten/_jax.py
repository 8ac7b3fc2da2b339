"""The loops in JAX: one jitted pure function from state to state, Adam by hand."""

import math
from functools import partial
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp

from benchmarks.handwritten import EPSILON, Recipe

State = dict[str, Any]


class Loop:
    """Holds the state that a pure, jitted step turns into the next."""

    def __init__(self, model: Any, recipe: Recipe):
        self.model, self.recipe, self.count = model, recipe, 0
        # Copies: the step donates its state, and the model's variables keep theirs.
        self.state = jax.tree.map(jnp.copy, self.start() | {"key": jax.random.key(0)})
        self.jitted = jax.jit(self._step, donate_argnums=0)

    def step(self, images: np.ndarray, noise: dict[str, np.ndarray] | None = None) -> Any:
        """Update once."""
        rates = [self.recipe.rate(self.count, part) for part in ("discriminator", "")]
        decay = self.recipe.decay(self.count)
        self.state, losses = self.jitted(self.state, images, rates, decay, noise or {})
        self.count += 1
        return losses

    def averages(self) -> list[np.ndarray]:
        """Wait, and return the weight averages."""
        jax.block_until_ready(self.state)
        return [np.asarray(average) for average in self.state.get("average", [])]

    def _step(
        self, state: State, images: Any, rates: list[Any], decay: Any, noise: dict[str, Any]
    ) -> Any:
        key, draw = jax.random.split(state["key"])
        state, losses = self.update(state | {"key": key}, images, rates, noise, draw)
        if "average" in state:
            average = [w + decay * (a - w) for w, a in self.averaged(state)]
            state = state | {"average": average}
        return state, losses

    def averaged(self, state: State) -> Any:
        """Pair each averaged weight with its average."""
        return []

    def start(self) -> State:
        """Return the first state; `average` in it where weights are averaged."""
        raise TypeError("Each family has its own.")

    def update(
        self, state: State, images: Any, rates: list[Any], noise: dict[str, Any], key: Any
    ) -> Any:
        """Descend once: the next state, and the losses."""
        raise TypeError("Each family has its own.")


class GAN(Loop):
    """Discriminator, then generator."""

    def start(self) -> State:
        """Return both networks' weights, moments and other variables."""
        d, g = self.model.discriminator, self.model.generator
        return {
            "d": values(d.trainable_variables), "g": values(g.trainable_variables),
            "d_other": values(d.non_trainable_variables),
            "g_other": values(g.non_trainable_variables),
            "d_adam": moments(values(d.trainable_variables)),
            "g_adam": moments(values(g.trainable_variables)),
            "average": values(self.model.ema_generator.weights),
        }  # fmt: skip

    def averaged(self, state: State) -> Any:
        """Pair the generator's weights, in Keras's order, with their averages."""
        g = self.model.generator
        found = {id(v): w for v, w in zip(g.trainable_variables, state["g"], strict=True)}
        found |= {
            id(v): w for v, w in zip(g.non_trainable_variables, state["g_other"], strict=True)
        }
        return zip([found[id(v)] for v in g.weights], state["average"], strict=True)

    def update(
        self, state: State, images: Any, rates: list[Any], noise: dict[str, Any], key: Any
    ) -> Any:
        """Descend once."""
        c, losses = self.model.settings, {}
        real = images.astype(jnp.float32) / 127.5 - 1.0
        z, moves = noise.get("z"), noise.get("direction")
        if z is None:
            z = jax.random.normal(key, (c.discriminator_steps + 1, len(images), c.latent_dim))
        if moves is None and c.gradient_penalty:
            shape = (c.discriminator_steps, *images.shape)
            moves = jax.random.normal(jax.random.fold_in(key, 1), shape)
        for turn in range(c.discriminator_steps):
            grad = jax.value_and_grad(self.d_loss, has_aux=True)
            move = None if moves is None else moves[turn]
            (_, (losses["d_loss"], others)), g = grad(state["d"], state, real, z[turn], move)
            d, adam = apply(self.recipe, state["d"], g, state["d_adam"], rates[0])
            state = state | others | {"d": d, "d_adam": adam}
        grad = jax.value_and_grad(self.g_loss, has_aux=True)
        (losses["g_loss"], others), g = grad(state["g"], state, real, z[-1])
        g, adam = apply(self.recipe, state["g"], g, state["g_adam"], rates[1])
        return state | others | {"g": g, "g_adam": adam}, losses

    def d_loss(self, d: Any, state: State, real: Any, z: Any, move: Any) -> Any:
        """Compute the discriminator's loss and penalty; and the loss alone."""
        read = self.model.discriminator.stateless_call
        fake, g_other = self.draw(state["g"], state["g_other"], z)
        real_logits, d_other = read(d, state["d_other"], {"image": real}, training=True)
        fake = jax.lax.stop_gradient(fake)
        fake_logits, d_other = read(d, d_other, {"image": fake}, training=True)
        if self.model.relativistic:
            whole = loss = jax.nn.softplus(fake_logits - real_logits).mean()
        else:
            whole = loss = (
                jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean()
            )
        if weight := self.model.settings.gradient_penalty:
            moved_logits, d_other = read(d, d_other, {"image": real + 0.1 * move}, training=True)
            whole = loss + 0.5 * weight * jnp.square((moved_logits - real_logits) / 0.1).mean()
        return whole, (loss, {"d_other": d_other, "g_other": g_other})

    def g_loss(self, g: Any, state: State, real: Any, z: Any) -> Any:
        """Compute the generator's loss."""
        fake, g_other = self.draw(g, state["g_other"], z)
        read = self.model.discriminator.stateless_call
        logits, d_other = read(state["d"], state["d_other"], {"image": fake}, training=True)
        if self.model.relativistic:
            real_logits, d_other = read(state["d"], d_other, {"image": real}, training=True)
            logits -= real_logits
        return jax.nn.softplus(-logits).mean(), {"d_other": d_other, "g_other": g_other}

    def draw(self, g: Any, g_other: Any, z: Any) -> Any:
        """Run the generator."""
        return self.model.generator.stateless_call(g, g_other, {"z": z}, training=True)


class One(Loop):
    """Families with one objective."""

    def update(
        self, state: State, images: Any, rates: list[Any], noise: dict[str, Any], key: Any
    ) -> Any:
        """Descend once."""
        loss, g = jax.value_and_grad(self.loss)(state["weights"], images, noise, key)
        weights, adam = apply(self.recipe, state["weights"], g, state["adam"], rates[1])
        return state | {"weights": weights, "adam": adam}, {"loss": loss}

    def loss(self, weights: Any, images: Any, noise: dict[str, Any], key: Any) -> Any:
        """Compute the family's loss."""
        raise TypeError("Each family has its own.")


class VAE(One):
    """Minus the evidence lower bound."""

    def start(self) -> State:
        """Return the weights of encoder, decoder, prior and likelihood, and their moments."""
        parts = {name: getattr(self.model, name) for name in ("encoder", "decoder", "prior")}
        weights = {name: values(part.trainable_variables) for name, part in parts.items()}
        weights["likelihood"] = values(self.model.likelihood.trainable_variables)
        return {"weights": weights, "adam": moments(weights)}

    def loss(self, weights: Any, images: Any, noise: dict[str, Any], key: Any) -> Any:
        """Compute it in nats per picture."""
        model = self.model
        x = images.astype(jnp.float32) / 255.0
        code, _ = model.encoder.stateless_call(weights["encoder"], [], {"image": x}, training=True)
        mean, logvar = code["mean"], code["logvar"]
        eps = noise.get("eps")
        if eps is None:
            eps = jax.random.normal(key, mean.shape)
        z = mean + eps * jnp.exp(0.5 * logvar)
        raw, _ = model.decoder.stateless_call(weights["decoder"], [], {"z": z}, training=True)
        if model.settings.prior == "flow":
            weights_of = zip(model.prior.trainable_variables, weights["prior"], strict=True)
            with keras.StatelessScope(state_mapping=list(weights_of)):
                kl = model.prior.kl(mean, logvar, z)
        else:
            kl = 0.5 * (jnp.exp(logvar) - 1.0 - logvar + mean * mean).sum(-1)
        if model.settings.likelihood == "bernoulli":
            error = (jax.nn.softplus(raw) - x * raw).sum((1, 2, 3))
        else:
            # Trained or not, as the configuration says.
            (spread,) = weights["likelihood"] or [model.likelihood.log_variance.value]
            squares = jnp.square(x - jax.nn.sigmoid(raw)).sum((1, 2, 3))
            count = math.prod(images.shape[1:])
            error = 0.5 * (count * (math.log(2 * math.pi) + spread) + squares * jnp.exp(-spread))
        return (error + model.settings.kl_weight * kl).mean()


class DDPM(One):
    """The squared error of v."""

    def start(self) -> State:
        """Return the denoiser's weights, moments and averages."""
        weights = values(self.model.denoiser.trainable_variables)
        average = values(self.model.ema_denoiser.weights)
        return {"weights": weights, "adam": moments(weights), "average": average}

    def averaged(self, state: State) -> Any:
        """Pair the denoiser's weights, which are all trained, with their averages."""
        return zip(state["weights"], state["average"], strict=True)

    def loss(self, weights: Any, images: Any, noise: dict[str, Any], key: Any) -> Any:
        """Compute it."""
        bars = self.model.schedule.tables.alpha_bars
        x0 = images.astype(jnp.float32) / 127.5 - 1.0
        t, eps = noise.get("t"), noise.get("eps")
        if t is None or eps is None:
            of_t, of_eps = jax.random.split(key)
            t = jax.random.randint(of_t, (len(images),), 0, len(bars), jnp.int32)
            eps = jax.random.normal(of_eps, x0.shape)
        a = jnp.asarray(np.sqrt(bars), jnp.float32)[t][:, None, None, None]
        s = jnp.asarray(np.sqrt(1 - bars), jnp.float32)[t][:, None, None, None]
        inputs = {"xt": a * x0 + s * eps, "t": t}
        v_hat, _ = self.model.denoiser.stateless_call(weights, [], inputs, training=True)
        return jnp.square(v_hat - (a * eps - s * x0)).mean()


def loop(model: Any, recipe: Recipe) -> Loop:
    """Make the loop of a model's family."""
    return {"gan": GAN, "vae": VAE, "ddpm": DDPM}[model.family](model, recipe)


def values(variables: list[Any]) -> list[Any]:
    """Return the arrays of Keras variables."""
    return [variable.value for variable in variables]


def moments(weights: Any) -> State:
    """Return Adam's state before the first step."""
    zeros = partial(jax.tree.map, jnp.zeros_like)
    return {"m": zeros(weights), "v": zeros(weights), "count": jnp.zeros(())}


def apply(recipe: Recipe, weights: Any, gradients: Any, state: State, rate: Any) -> Any:
    """Move weights once by Adam: the next weights and state."""
    c, clip = recipe.optimizer, recipe.optimizer.clip_norm
    if clip is not None:
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradients)))
        factor = clip / jnp.maximum(norm, clip)
        gradients = jax.tree.map(lambda g: g * factor, gradients)
    count = state["count"] + 1.0
    m = jax.tree.map(lambda m, g: c.beta_1 * m + (1 - c.beta_1) * g, state["m"], gradients)
    v = jax.tree.map(lambda v, g: c.beta_2 * v + (1 - c.beta_2) * g * g, state["v"], gradients)
    alpha = rate * jnp.sqrt(1 - c.beta_2**count) / (1 - c.beta_1**count)
    move = lambda w, m, v: w - alpha * m / (jnp.sqrt(v) + EPSILON)  # noqa: E731
    return jax.tree.map(move, weights, m, v), {"m": m, "v": v, "count": count}
