"""The game of a GAN on a line, where every density can be drawn (Goodfellow et al. 2014, figure 1).

Data are numbers x drawn from a mixture of two normals; the generator turns z ~ N(0, 1) into a
number, the discriminator judges numbers. Trained with the same objectives, losses and step engine
as kgen's GAN of pictures, on any backend, in seconds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import keras
import numpy as np
from keras import ops

from kgen import losses
from kgen.step import Objective, OptimizerGroup, engine

MEANS, SIGMAS, WEIGHTS = (-1.0, 1.5), (0.5, 0.4), (0.6, 0.4)
LINE = np.linspace(-4.0, 4.0, 401)
"""Where densities are drawn."""

ARROWS = 24
"""Latents whose way through the generator is drawn."""

BATCH_SIZE = 256
SEED = 1
TOTAL_STEPS = 3000
"""Updates of the generator, over which the learning rates fall to 0."""

STEPS = 25
"""Steps between two values of the game."""


def data_density(x: np.ndarray) -> np.ndarray:
    """Density of the data, float (n,) -> float (n,)."""
    parts = [
        weight * np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        for mean, sigma, weight in zip(MEANS, SIGMAS, WEIGHTS, strict=True)
    ]
    return np.sum(parts, axis=0)


def draw_data(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw numbers from the data density, float32 (count, 1)."""
    part = rng.choice(len(MEANS), size=count, p=WEIGHTS)
    x = rng.normal(np.array(MEANS)[part], np.array(SIGMAS)[part])
    return x[:, None].astype(np.float32)


class Game(keras.Model):
    """Two small networks on a line: the objectives of :class:`kgen.models.gan.GAN`.

    Args:
        discriminator_steps: updates of the discriminator for each of the generator. Several keep
            it near its optimum, which is what the theory speaks about (Algorithm 1).
    """

    def __init__(self, discriminator_steps: int = 5):
        super().__init__()
        self.discriminator_steps = discriminator_steps
        rng = np.random.default_rng(SEED)
        self.generator = _network("generator", rng)
        self.discriminator = _network("discriminator", rng)
        self.trackers = [keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")]
        self.built = True
        variables = {
            "discriminator": self.discriminator.trainable_variables,
            "generator": self.generator.trainable_variables,
        }
        rates = {"discriminator": 5e-3, "generator": 1e-3}
        updates = {"discriminator": TOTAL_STEPS * discriminator_steps, "generator": TOTAL_STEPS}
        members = {
            name: keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(rate, updates[name]), beta_1=0.5
            )
            for name, rate in rates.items()
        }
        group = OptimizerGroup(members, variables)
        self.compile(optimizer=group, auto_scale_loss=False)

    def train_step(self, *args: Any) -> Any:
        """Run one step; the engine of the current backend knows its signature."""
        return engine().train_step(self, *args)

    def update(self, data: Any) -> dict[str, Any]:
        """Descend every objective once on numbers float32 (batch, 1) and their latents."""
        x, z, _ = keras.utils.unpack_x_y_sample_weight(data)
        logs = {}
        for objective in self.objectives(x, z):
            logs |= engine().descend(self, objective)
        for tracker in self.trackers:
            tracker.update_state(logs[tracker.name])
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def objectives(self, x: Any, z: Any) -> Iterator[Objective]:
        """Yield the discriminator's objective several times, then the generator's.

        Args:
            x: data float32 (batch, 1).
            z: latents float32 (batch, discriminator_steps + 1), a column for each objective.
        """
        columns = ops.split(z, self.discriminator_steps + 1, axis=1)
        for column in columns[:-1]:
            yield Objective(
                loss=lambda z=column: self.discriminator_loss(x, z),
                variables=self.discriminator.trainable_variables,
                optimizer=self.optimizer.members["discriminator"],
            )
        yield Objective(
            loss=lambda: self.generator_loss(columns[-1]),
            variables=self.generator.trainable_variables,
            optimizer=self.optimizer.members["generator"],
        )

    def discriminator_loss(self, real: Any, z: Any) -> Any:
        """Minus the value of the game, eq. 1."""
        fake = ops.stop_gradient(self.generator(z))
        loss = losses.minimax_discriminator(self.discriminator(real), self.discriminator(fake))
        return loss, {"d_loss": loss}

    def generator_loss(self, z: Any) -> Any:
        """The non-saturating loss, section 3."""
        loss = losses.non_saturating_generator(self.discriminator(self.generator(z)))
        return loss, {"g_loss": loss}


def _network(name: str, rng: np.random.Generator) -> keras.Model:
    """Build a network from number to number, float32 (batch, 1) -> float32 (batch, 1)."""
    x = inputs = keras.Input((1,), name="x")
    for index in range(2):
        x = keras.layers.Dense(32, activation="tanh", name=f"hidden_{index}")(x)
    network = keras.Model(inputs, keras.layers.Dense(1, name="out")(x), name=name)
    # Weights from the host, as backends draw different ones; biases spread the bends of the first
    # layer over the line.
    network.set_weights([
        rng.uniform(-1, 1, w.shape) * (math.sqrt(6 / sum(w.shape)) if len(w.shape) == 2 else 1.0)
        for w in network.weights
    ])  # fmt: skip
    return network


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """The game after some steps, on :data:`LINE` where not said otherwise.

    Attributes:
        step: updates of the generator so far.
        generated: density of the generator's numbers.
        d: what the discriminator says, D(x).
        d_star: what it says at its optimum, p / (p + q), eq. 2.
        z: latents at equal shares of N(0, 1), float (k,).
        x: what the generator makes of them.
    """

    step: int
    generated: np.ndarray
    d: np.ndarray
    d_star: np.ndarray
    z: np.ndarray
    x: np.ndarray


def look(game: Game, step: int) -> Moment:
    """Evaluate both players everywhere.

    The generated density is exact up to the width of a bin: a fine grid of z, weighed by N(0, 1),
    is carried through the generator and counted.
    """
    z = np.linspace(-5.0, 5.0, 100_001, dtype=np.float32)
    x = _apply(game.generator, z)
    width = LINE[1] - LINE[0]
    edges = np.append(LINE - width / 2, LINE[-1] + width / 2)
    weight = np.exp(-0.5 * z.astype(np.float64) ** 2)
    mass, _ = np.histogram(x, edges, weights=weight / weight.sum())
    generated = mass / width
    data = data_density(LINE)
    logits = _apply(game.discriminator, LINE.astype(np.float32))
    shares = (np.arange(ARROWS) + 0.5) / ARROWS
    arrows = np.array([NormalDist().inv_cdf(share) for share in shares], dtype=np.float32)
    return Moment(
        step=step,
        generated=generated,
        d=1 / (1 + np.exp(-logits)),
        d_star=data / np.maximum(data + generated, 1e-12),
        z=arrows,
        x=_apply(game.generator, arrows),
    )


def _apply(network: keras.Model, numbers: np.ndarray) -> np.ndarray:
    """Apply a network to float32 (n,); float64 (n,)."""
    outputs = network(ops.convert_to_tensor(numbers[:, None]))
    return ops.convert_to_numpy(outputs)[:, 0].astype(np.float64)


def play(moments: tuple[int, ...], game: Game | None = None) -> tuple[list[Moment], np.ndarray]:
    """Train from scratch and look at the game at some moments.

    Args:
        moments: ascending numbers of steps, multiples of :data:`STEPS`; 0 is before training.
        game: fresh if None.

    Returns:
        What was seen, and the value of the game (minus d_loss), a mean over every :data:`STEPS`
        steps, float (moments[-1] / STEPS,).
    """
    game = game or Game()
    seen: list[Moment] = []
    values: list[float] = []
    batches = _batches(game.discriminator_steps + 1)
    for moment in moments:
        history = game.fit(
            batches,
            steps_per_epoch=STEPS,
            initial_epoch=len(values),
            epochs=moment // STEPS,
            shuffle=False,
            verbose=0,  # type: ignore[arg-type]
        )
        values += [-loss for loss in history.history.get("d_loss", [])]
        seen.append(look(game, moment))
    return seen, np.array(values)


def _batches(columns: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw data and latents without end, on the host: the game is the same on every backend."""
    rng = np.random.default_rng(SEED)
    while True:
        z = rng.standard_normal((BATCH_SIZE, columns), dtype=np.float32)
        yield draw_data(BATCH_SIZE, rng), z
