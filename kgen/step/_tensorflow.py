"""The step engine on TensorFlow: a gradient tape."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kgen.step.footprint import Footprint
from kgen.step.halves import in_halves, is_even
from kgen.step.objective import Logs, Objective, part

FOOTPRINT = Footprint(program=0, layer=2_000_000, half=0.4, matrix=700_000, activations=1.2)


def train_step(model: Any, data: Any) -> Logs:
    """Run one training step; Keras's signature on this backend."""
    return model.update(data)


def test_step(model: Any, data: Any) -> Logs:
    """Run one evaluation step; Keras's signature on this backend."""
    return model.assess(data)


def stepper(model: Any) -> Callable[[Any], Logs]:
    """Return a function that runs `train_step` on a batch of NumPy arrays; its logs are tensors."""
    model.make_train_function()
    return lambda batch: model.train_function(iter([batch]))


def tester(model: Any) -> Callable[[Any], Logs]:
    """Return a function that runs `test_step` on a batch of NumPy arrays; its logs are tensors."""
    model.make_test_function()
    return lambda batch: model.test_function(iter([batch]))


def descend(model: Any, objective: Objective, batch: Any = (), parts: int = 1) -> Logs:
    """Move the objective's variables once along the gradient of its loss."""
    if parts > 1:
        gradients, logs = _accumulated(model, objective, batch, parts)
    elif objective.independent and is_even(batch[0]) and two_at_a_time() and not model.jit_compile:
        gradients, logs = _side_by_side(model, objective, batch)
    else:
        gradients, logs = _gradients(objective, batch)
    objective.optimizer.apply(gradients, objective.variables)
    return logs


def _gradients(objective: Objective, batch: Any) -> tuple[list[Any], Logs]:
    """Differentiate the loss of a batch."""
    values = [variable.value for variable in objective.variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss, logs = objective.loss(*batch)
        scaled = objective.optimizer.scale_loss(loss)
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(scaled, values, unconnected_gradients=zero), logs


def two_at_a_time() -> bool:
    """Tell whether two operations run at a time: see TensorFlow's runtime in kgen/device."""
    return tf.config.threading.get_inter_op_parallelism_threads() > 1


def _side_by_side(model: Any, objective: Objective, batch: Any) -> tuple[list[Any], Logs]:
    """Average the gradients and logs of two halves of a batch: two branches of the graph."""
    halves = model.in_parts(2, *batch)
    (gradients, logs), (others, other_logs) = (
        _gradients(objective, part(halves, index)) for index in range(2)
    )
    mean = [
        (tf.convert_to_tensor(a) + tf.convert_to_tensor(b)) / 2
        for a, b in zip(gradients, others, strict=True)
    ]
    return mean, {name: (log + other_logs[name]) / 2 for name, log in logs.items()}


def _accumulated(
    model: Any, objective: Objective, batches: Any, parts: int
) -> tuple[list[Any], Logs]:
    """Average the gradients and logs of the parts of a batch.

    A loop in the graph, one turn at a time: parts that are merely written one after the other may
    run at the same time, and XLA heeds no control dependencies.
    """
    names: list[str] = []

    def turn(index: Any, total: list[Any], sums: list[Any]) -> Any:
        gradients, logs = _gradients(objective, part(batches, index))
        names[:] = logs
        total = [a + tf.convert_to_tensor(b) for a, b in zip(total, gradients, strict=True)]
        return index + 1, total, [a + logs.get(n, 0.0) for n, a in zip(known, sums, strict=True)]

    # What a loop carries must be known before its body: all names that the model has.
    known = model.log_names
    start = [tf.zeros_like(variable.value) for variable in objective.variables]
    _, total, sums = tf.while_loop(
        lambda index, *_: index < parts, turn, (0, start, [0.0] * len(known)), parallel_iterations=1
    )
    reported = {n: log / parts for n, log in zip(known, sums, strict=True) if n in names}
    return [gradient / parts for gradient in total], reported


def average(pairs: list[tuple[Any, Any]], decay: Any) -> None:
    """Move each average towards its weight."""
    for variable, mean in pairs:
        weight = tf.convert_to_tensor(variable.value)
        mean.assign(weight + decay * (mean - weight))


class Adam(keras.optimizers.Adam):
    """Keras's Adam, its state and its numbers, by TensorFlow's fused kernel."""

    def _backend_update_step(
        self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any
    ) -> None:
        """Move the variables once, with both corrections in the rate: they are the same for all."""
        step = tf.cast(self.iterations.value + 1, tf.float32)
        corrections = tf.sqrt(1.0 - self.beta_2**step), 1.0 - self.beta_1**step
        rate = tf.cast(learning_rate, tf.float32) * corrections[0] / corrections[1]
        super()._backend_update_step(grads, trainable_variables, rate)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable by its gradient and the corrected rate."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            # A power of 0 is "corrected already".
            beta1_power=0.0,
            beta2_power=0.0,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.convert_to_tensor(gradient),
        )


def group_norm(*_: Any) -> None:
    """Have no kernel: TensorFlow has none for groups."""


def batch_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any] | None:
    """Normalise a batch of pictures, with a gradient of two passes; tried on a CPU only."""
    if len(x.shape) != 4:
        return None
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=epsilon)
    # The kernel says what the variance of all pictures is by these: the sum over n - 1, not n.
    count = tf.cast(tf.size(x) / tf.size(mean), tf.float32)
    return y, mean, variance * (count - 1.0) / count


def compiled(
    model: Any, function: Callable[..., Any], *, by_rows: bool = False
) -> Callable[..., Any]:
    """Compile a function of tensors that reads the model's variables."""
    # reduce_retracing would make shapes unknown, which disables layout optimisation on the CPU.
    run = in_halves(function, two_at_a_time) if by_rows else function
    return tf.function(run, autograph=False)


def recorded(variables: list[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave a part of a step as it is: the step is compiled as a whole."""
    return function


def synchronise(model: Any) -> None:
    """Do nothing: variables are always up to date on this backend."""
