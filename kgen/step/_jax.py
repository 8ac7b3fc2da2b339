"""The step engine on JAX: stateful Keras code inside a stateless scope.

Under `jax.jit` nothing may be assigned. `keras.StatelessScope` pretends otherwise: reads and
assignments of Keras variables inside the scope go to a table that starts with the step's input
state and ends with its output state. :func:`train_step` opens the outer scope around the model's
plain `update`; :func:`descend` opens an inner one for the function that JAX differentiates and
copies what it assigned (seeds, moving averages) to the outer scope.

Under a `keras.distribution` the same functions run on several devices: variables are replicated, a
batch is cut along its first axis, and XLA adds the sums over devices that the arithmetic of the
whole batch needs. Noise is drawn by its place in the whole batch (JAX's keys are counted that way),
so nothing depends on the number of devices.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import keras
import numpy as np

from kgen.device import cores
from kgen.step.footprint import Footprint
from kgen.step.halves import in_halves, is_even
from kgen.step.objective import Logs, Objective, part

State = tuple[list[Any], ...]

FOOTPRINT = Footprint(
    program=245_000_000, layer=3_500_000, half=0.8, matrix=1_000_000, activations=1.85
)


def train_step(model: Any, state: State, data: Any) -> tuple[Logs, State]:
    """Run one training step; Keras's signature on this backend.

    `state` holds the values of the trainable, non-trainable, optimizer and metrics variables. That
    order is Keras's own, which keeps `keras.distribution` working.
    """
    return _in_scope(model.update, _groups(model), state, data)


def _groups(model: Any) -> tuple[list[Any], ...]:
    """List the variables of a training's state, in Keras's order."""
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def test_step(model: Any, state: State, data: Any) -> tuple[Logs, State]:
    """Run one evaluation step; Keras's signature on this backend."""
    return _in_scope(model.assess, _test_groups(model), state, data)


def _test_groups(model: Any) -> tuple[list[Any], ...]:
    """List the variables of an evaluation's state, in Keras's order."""
    trained, other, _, metrics = _groups(model)
    return trained, other, metrics


def _in_scope(
    function: Callable[[Any], Logs], groups: tuple[list[Any], ...], state: State, data: Any
) -> tuple[Logs, State]:
    """Run stateful code on `state` and return what it returns, and the new state."""
    pairs = [
        pair
        for variables, values in zip(groups, state, strict=True)
        for pair in zip(variables, values, strict=True)
    ]
    with keras.StatelessScope(state_mapping=pairs) as scope:
        logs = function(data)
    return logs, tuple(
        [scope.get_current_value(variable) for variable in variables] for variables in groups
    )


def stepper(model: Any) -> Callable[[Any], Logs]:
    """Return a function that runs `train_step` on a batch of NumPy arrays; its logs are arrays.

    As in `fit`, the state travels from step to step outside of the variables, each step giving its
    memory to the next, until :func:`synchronise`.
    """
    model.make_train_function()
    carried = model.carried = _Carried()

    def step(batch: Any) -> Logs:
        if carried.state is None:
            carried.state = _values(_groups(model))
        logs, carried.state = model.train_function(carried.state, iter([_join_shares(batch)]))
        return logs

    return step


def tester(model: Any) -> Callable[[Any], Logs]:
    """Return a function that runs `test_step` on a batch of NumPy arrays; its logs are arrays."""
    model.make_test_function()

    def step(batch: Any) -> Logs:
        groups = _test_groups(model)
        data = tuple(_cut(array) for array in batch)
        logs, state = model.test_function(_values(groups), iter([data]))
        for variables, values in zip(groups, state, strict=True):
            _assign(variables, values)
        return logs

    return step


def _values(groups: tuple[list[Any], ...]) -> State:
    """Read the values of groups of variables."""
    return tuple([variable.value for variable in group] for group in groups)


@dataclass
class _Carried:
    """The state of a training between two steps; None where the variables have it."""

    state: State | None = None


def descend(model: Any, objective: Objective, batch: Any = (), parts: int = 1) -> Logs:
    """Move the objective's variables once along the gradient of its loss."""
    moving, optimizer = objective.variables, objective.optimizer
    ids = {id(variable) for variable in moving}
    others = [v for v in model.variables if id(v) not in ids] + optimizer.variables

    def loss(values: list[Any], fixed: list[Any], batch: Any) -> tuple[Any, tuple[list[Any], Logs]]:
        pairs = [*zip(moving, values, strict=True), *zip(others, fixed, strict=True)]
        with keras.StatelessScope(state_mapping=pairs) as scope:
            value, logs = objective.loss(*batch)
            scaled = optimizer.scale_loss(value)
        return scaled, ([scope.get_current_value(v) for v in others], logs)

    gradient = jax.grad(loss, has_aux=True)
    values, fixed = ([variable.value for variable in group] for group in (moving, others))
    if parts > 1:
        gradients, (assigned, logs) = _accumulated(gradient, values, fixed, batch)
    elif objective.independent and is_even(batch[0]) and two_at_a_time():
        halves = model.in_parts(2, *batch)
        gradients, (assigned, logs) = _side_by_side(gradient, values, fixed, halves)
    else:
        gradients, (assigned, logs) = gradient(values, fixed, batch)
    _assign(others, assigned)
    state = [variable.value for variable in optimizer.variables]
    values, state = optimizer.stateless_apply(state, gradients, values)
    _assign(moving, values)
    _assign(optimizer.variables, state)
    return logs


def two_at_a_time() -> bool:
    """Tell whether XLA has the cores of a CPU to itself, on which it runs what does not wait."""
    device = getattr(jax.config, "jax_default_device", None) or jax.devices()[0]
    alone = keras.distribution.distribution() is None
    # XLA does not read it; but who says how many threads there are has said so to all libraries.
    several = cores() > 1 and not os.environ.get("OMP_NUM_THREADS")
    return device.platform == "cpu" and alone and several


def _side_by_side(gradient: Callable[..., Any], values: Any, fixed: Any, halves: Any) -> Any:
    """Average the gradients and logs of two halves of a batch, whose loss assigns nothing."""
    (mine, (assigned, logs)), (others, (_, other_logs)) = (
        gradient(values, fixed, part(halves, index)) for index in range(2)
    )
    mean = jax.tree.map(lambda a, b: (a + b) / 2, (mine, logs), (others, other_logs))
    return mean[0], (assigned, mean[1])


def _accumulated(gradient: Callable[..., Any], values: Any, fixed: Any, batches: Any) -> Any:
    """Average the gradients and logs of the parts of a batch; each starts from what is assigned.

    A loop of XLA's, which compiles one part and gives every turn the same memory.
    """

    def turn(carried: Any, batch: Any) -> tuple[Any, Logs]:
        total, fixed = carried
        gradients, (assigned, logs) = gradient(values, fixed, batch)
        return (jax.tree.map(jax.numpy.add, total, gradients), assigned), logs

    start = jax.tree.map(jax.numpy.zeros_like, values)
    (total, assigned), logs = jax.lax.scan(turn, (start, fixed), batches)
    parts = jax.tree.leaves(batches)[0].shape[0]
    mean = jax.tree.map(lambda gradient: gradient / parts, total)
    return mean, (assigned, {name: log.mean(axis=0) for name, log in logs.items()})


def _assign(variables: list[Any], values: list[Any]) -> None:
    """Assign values to variables, one by one."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def average(pairs: list[tuple[Any, Any]], decay: Any) -> None:
    """Move each average towards its weight."""
    for variable, mean in pairs:
        weight = jax.lax.stop_gradient(variable.value)
        mean.assign(weight + decay * (mean.value - weight))


Adam = keras.optimizers.Adam
"""Keras's own: XLA fuses it."""


def group_norm(*_: Any) -> None:
    """Have no kernel: the compiler fuses the layer's own formula."""


batch_norm = group_norm


def compiled(
    model: Any, function: Callable[..., Any], *, by_rows: bool = False
) -> Callable[..., Any]:
    """Compile a function of tensors that reads the model's variables.

    Under a distribution every device computes some rows, and all have the result.
    """
    everywhere = _sharding(())
    run = in_halves(function, two_at_a_time) if by_rows else function

    def stateless(values: list[Any], tensors: tuple[Any, ...]) -> Any:
        pairs = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=pairs):
            return run(*tensors)

    jitted = jax.jit(stateless, out_shardings=everywhere)
    return lambda *tensors: jitted(
        [v.value for v in model.variables], tuple(_cut(tensor) for tensor in tensors)
    )


def recorded(variables: list[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave a part of a step as it is: the step is compiled as a whole."""
    return function


# Several devices.


def _sharding(axes: tuple[str | None, ...]) -> jax.sharding.Sharding | None:
    """Return how the current distribution lays out an array; None where there is no distribution.

    Args:
        axes: of the array, `"batch"` where it is cut; the others, and those not named, are not.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return None
    mesh = distribution.device_mesh.backend_mesh
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))


def _join_shares(batch: Any) -> Any:
    """Make a batch on all devices of this process's share of its rows, NumPy arrays."""
    sharding = _sharding(("batch",))
    if sharding is None:
        return batch
    return tuple(jax.make_array_from_process_local_data(sharding, array) for array in batch)


def _cut(array: Any) -> Any:
    """Lay an array that every process has over all devices, in rows if they come out even."""
    rows = _sharding(("batch",))
    if rows is None:
        return array
    even = np.ndim(array) > 0 and len(array) % rows.num_devices == 0
    return jax.device_put(array, rows if even else _sharding(()))


def synchronise(model: Any) -> None:
    """Write the state that a :func:`stepper` carries back to the variables.

    Reading a variable without this reads a buffer that was given away.
    """
    carried = getattr(model, "carried", None)
    if carried is None or carried.state is None:
        return
    for variables, values in zip(_groups(model), carried.state, strict=True):
        _assign(variables, values)
    carried.state = None
