"""The step engine on TensorFlow: a gradient tape."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kgen.step.objective import Logs, Objective


def train_step(model: Any, data: Any) -> Logs:
    """Run one training step; Keras's signature on this backend."""
    return model.update(data)


def test_step(model: Any, data: Any) -> Logs:
    """Run one evaluation step; Keras's signature on this backend."""
    return model.assess(data)


def descend(model: Any, objective: Objective) -> Logs:
    """Move the objective's variables once along the gradient of its loss."""
    values = [variable.value for variable in objective.variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss, logs = objective.loss()
        scaled = objective.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    objective.optimizer.apply(gradients, objective.variables)
    return logs


def compiled(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors that reads the model's variables."""
    # reduce_retracing would make shapes unknown, which disables layout optimisation on the CPU.
    return tf.function(function, autograph=False)


def synchronise(model: Any) -> None:
    """Do nothing: variables are always up to date on this backend."""
