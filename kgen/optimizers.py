"""From a configuration to the optimizers of a model."""

from typing import Any

import keras

from kgen.config import GANOptimizerConfig, OptimizerConfig
from kgen.muon import Muon
from kgen.step import OptimizerGroup, engine

EMA_STEPS = 10
"""A run's weight average looks back over one part in so many of its steps."""


def build_optimizers(
    config: OptimizerConfig,
    variables: dict[str, list[keras.Variable]],
    total_steps: int,
    updates: dict[str, int] | None = None,
) -> OptimizerGroup:
    """Make an optimizer for each part of a model and build them.

    Args:
        config: name, rates and clipping.
        variables: what each optimizer moves, by its name (``GenerativeModel.optimized``).
        total_steps: steps of the whole run, over which a decaying rate falls.
        updates: how often each optimizer moves in a step, where that is not once: a schedule counts
            moves.
    """
    rates = {name: config.learning_rate for name in variables}
    if isinstance(config, GANOptimizerConfig) and config.discriminator_learning_rate is not None:
        rates["discriminator"] = config.discriminator_learning_rate
    members = {
        name: _optimizer(config, rate, total_steps, name, (updates or {}).get(name, 1))
        for name, rate in rates.items()
    }
    return OptimizerGroup(members, variables)


def _optimizer(
    config: OptimizerConfig, rate: float, total_steps: int, name: str, updates: int
) -> keras.optimizers.Optimizer:
    """Make one optimizer."""
    common: dict[str, Any] = {
        "learning_rate": _schedule(config, rate, total_steps, updates),
        "global_clipnorm": config.clip_norm,
        "name": f"{name}_{config.name}",
    }
    if config.name == "sgd":
        return keras.optimizers.SGD(momentum=config.momentum, **common)
    kind = Muon if config.name == "muon" else engine().Adam
    return kind(beta_1=config.beta_1, beta_2=config.beta_2, **common)


def _schedule(config: OptimizerConfig, rate: float, total_steps: int, updates: int = 1) -> Any:
    """Return the learning rate: a number, or Keras's schedule over the moves of all steps."""
    if config.decay == "constant" and config.warmup_steps == 0:
        return rate
    warmup = min(config.warmup_steps, total_steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else rate,
        warmup_target=rate if warmup else None,
        warmup_steps=warmup * updates,
        decay_steps=max(total_steps - warmup, 1) * updates,
        # The rate falls to alpha times its peak: 1 is no fall.
        alpha=1.0 if config.decay == "constant" else 0.0,
    )


def ema_decay(config: OptimizerConfig, total_steps: int) -> float:
    """Return the weight average's decay: the one asked for, or one that fits the run's length.

    An average that looks back 1 / (1 - decay) steps must not look back to the random start; a
    tenth of the run was better than a longer look in every run measured.
    """
    if config.ema_decay is not None:
        return config.ema_decay
    return min(0.9999, max(0.0, 1.0 - EMA_STEPS / total_steps))
