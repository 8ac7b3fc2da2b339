"""The step engine against gradients and optimizer updates worked out by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen.step import Objective, OptimizerGroup, engine

pytestmark = pytest.mark.backend


def number(variable):
    return ops.convert_to_numpy(variable).item()


class Duel(keras.Model):
    """Two numbers, each with its own objective: a goes towards b, then b away from a.

    Losses: (a - b)^2 / 2 with SGD of rate 0.5, then -a b with SGD of rate 0.25. A seed generator
    draws inside the second loss; a counter is assigned inside the first.
    """

    def __init__(self):
        super().__init__()
        self.a = self.add_weight(name="a", shape=(), initializer="ones")
        self.b = self.add_weight(name="b", shape=(), initializer="zeros")
        self.calls = self.add_weight(
            name="calls", shape=(), initializer="zeros", dtype="int32", trainable=False
        )
        self.seeds = keras.random.SeedGenerator(7)
        self.drawn = self.add_weight(name="drawn", shape=(), initializer="zeros", trainable=False)
        self.built = True

    def train_step(self, *args):
        return engine().train_step(self, *args)

    def update(self, data):
        logs = {}
        for objective in self.objectives():
            logs |= engine().descend(self, objective)
        return logs

    def objectives(self):
        def first():
            self.calls.assign(self.calls + 1)
            loss = ops.square(self.a - ops.stop_gradient(ops.convert_to_tensor(self.b))) / 2
            return loss, {"first": loss}

        def second():
            self.drawn.assign(keras.random.normal((), seed=self.seeds))
            loss = -ops.stop_gradient(ops.convert_to_tensor(self.a)) * self.b
            return loss, {"second": loss}

        members = self.optimizer.members
        yield Objective(loss=first, variables=[self.a], optimizer=members["a"])
        yield Objective(loss=second, variables=[self.b], optimizer=members["b"])


def _duel():
    model = Duel()
    members = {
        "a": keras.optimizers.SGD(0.5, name="a"),
        "b": keras.optimizers.SGD(0.25, name="b"),
    }
    group = OptimizerGroup(members, {"a": [model.a], "b": [model.b]})
    model.compile(
        optimizer=group, jit_compile=keras.backend.backend() == "jax", auto_scale_loss=False
    )
    return model


def _fit(model, steps):
    x = np.zeros((steps, 1), np.float32)
    return model.fit(x, batch_size=1, epochs=1, verbose=0, shuffle=False)


def test_objectives_descend_in_turn_with_their_own_optimizers():
    model = _duel()
    _fit(model, 3)
    a, b = 1.0, 0.0
    for _ in range(3):
        a -= 0.5 * (a - b)
        b += 0.25 * a
    # Sums of a few powers of two: exact in float32.
    assert number(model.a) == a
    assert number(model.b) == b


def test_assignments_inside_a_loss_reach_the_variables():
    model = _duel()
    _fit(model, 3)
    assert number(model.calls) == 3
    assert number(model.optimizer.members["a"].iterations) == 3


def test_a_seed_generator_inside_a_loss_moves_on_every_step():
    model = _duel()
    draws, states = [], []
    for _ in range(3):
        _fit(model, 1)
        draws.append(number(model.drawn))
        states.append(tuple(ops.convert_to_numpy(model.seeds.state).tolist()))
    assert len(set(draws)) == 3
    assert len(set(states)) == 3


def test_a_variable_outside_the_loss_keeps_its_value():
    model = _duel()
    both = [model.a, model.b]
    group = OptimizerGroup({"both": keras.optimizers.SGD(0.1)}, {"both": both})
    model.compile(optimizer=group, jit_compile=False)
    unused = Objective(
        loss=lambda: (ops.square(model.a), {"loss": ops.square(model.a)}),
        variables=both,
        optimizer=group.members["both"],
    )
    model.objectives = lambda: [unused]
    _fit(model, 1)
    assert number(model.b) == 0.0
    np.testing.assert_allclose(number(model.a), 0.8, rtol=1e-6)  # float32 rounding


def test_compiled_functions_read_the_current_weights():
    model = _duel()
    function = engine().compiled(model, lambda x: x * model.a)
    x = ops.convert_to_tensor(np.array([2.0], np.float32))
    before = ops.convert_to_numpy(function(x))
    model.a.assign(3.0)
    after = ops.convert_to_numpy(function(x))
    assert before.tolist() == [2.0]
    assert after.tolist() == [6.0]


def test_float16_updates_are_those_of_the_unscaled_loss():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = _duel()
        assert all(
            isinstance(m, keras.optimizers.LossScaleOptimizer)
            for m in model.optimizer.members.values()
        )
        _fit(model, 2)
    finally:
        keras.config.set_dtype_policy("float32")
    a, b = 1.0, 0.0
    for _ in range(2):
        a -= 0.5 * (a - b)
        b += 0.25 * a
    np.testing.assert_allclose([number(model.a), number(model.b)], [a, b], rtol=1e-3)  # float16
