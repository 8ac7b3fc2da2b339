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


def test_a_stepper_trains_like_fit():
    fitted, stepped = _duel(), _duel()
    _fit(fitted, 3)
    step = engine().stepper(stepped)
    for _ in range(3):
        logs = step((np.zeros((1, 1), np.float32),))
    engine().synchronise(stepped)
    assert float(logs["second"]) == -number(stepped.a) * (number(stepped.b) - number(stepped.a) / 4)
    for name in ("a", "b", "calls"):
        assert number(getattr(stepped, name)) == number(getattr(fitted, name))


def test_a_stepper_goes_on_after_its_variables_were_read():
    model = _duel()
    step = engine().stepper(model)
    for count in (1, 2, 3):
        step((np.zeros((1, 1), np.float32),))
        engine().synchronise(model)
        assert number(model.calls) == count


def test_averages_move_towards_their_weights():
    weights = [keras.Variable(np.full(shape, 3.0, np.float32)) for shape in ((2, 2), (3,))]
    averages = [keras.Variable(np.ones(shape, np.float32)) for shape in ((2, 2), (3,))]
    engine().average(list(zip(weights, averages, strict=True)), ops.convert_to_tensor(0.75))
    for average in averages:
        assert set(ops.convert_to_numpy(average).ravel()) == {1.5}  # powers of two: exact
    for weight in weights:
        assert set(ops.convert_to_numpy(weight).ravel()) == {3.0}


SHAPES = ((3, 3, 2, 4), (4,), (5, 3))


def _adam(weights, gradients, rates, beta_1, beta_2, clip):
    """Adam in float64, epsilon added before the correction (Kingma & Ba 2015, end of section 2)."""
    m, v = ([np.zeros(w.shape) for w in weights] for _ in range(2))
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        norm = np.sqrt(sum(np.sum(np.square(g)) for g in gradient))
        gradient = [g * min(1.0, clip / norm) for g in gradient]
        alpha = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        for i, g in enumerate(gradient):
            m[i] = beta_1 * m[i] + (1 - beta_1) * g
            v[i] = beta_2 * v[i] + (1 - beta_2) * g**2
            weights[i] = weights[i] - alpha * m[i] / (np.sqrt(v[i]) + 1e-7)
    return weights, m, v


def _strided(gradient):
    """Copy a gradient into memory in another order, as convolutions leave theirs."""
    tensor = ops.convert_to_tensor(np.ascontiguousarray(gradient.T).astype(np.float32))
    return ops.transpose(tensor, tuple(range(tensor.ndim))[::-1])


def _applied(optimizer, gradients):
    """Apply gradients as `descend` does on the current backend."""
    tensors = [_strided(gradient) for gradient in gradients]
    if keras.backend.backend() != "jax":
        optimizer.apply(tensors, optimizer._trainable_variables)
        return
    variables = [optimizer._trainable_variables, optimizer.variables]
    now = [[v.value for v in group] for group in variables]
    for group, values in zip(
        variables, optimizer.stateless_apply(now[1], tensors, now[0]), strict=True
    ):
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)


@pytest.mark.parametrize("clip", [0.5, 1e6])
def test_adam_is_the_papers(clip):
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape) for shape in SHAPES]
    gradients = [[rng.standard_normal(shape) for shape in SHAPES] for _ in range(4)]
    variables = [keras.Variable(w.astype(np.float32)) for w in weights]
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 4, end_learning_rate=0.0)
    optimizer = engine().Adam(schedule, beta_1=0.5, beta_2=0.99, global_clipnorm=clip)
    optimizer.build(variables)
    for gradient in gradients:
        _applied(optimizer, gradient)
    expected, m, v = _adam(weights, gradients, [0.1, 0.075, 0.05, 0.025], 0.5, 0.99, clip)
    # float32: a few roundings of 6e-8 in each of four steps.
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(variable), value, rtol=2e-6, atol=1e-6)
    for state, values in ((optimizer._momentums, m), (optimizer._velocities, v)):
        for variable, value in zip(state, values, strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(variable), value, rtol=2e-6, atol=1e-7)
    assert number(optimizer.iterations) == 4


def test_adam_has_the_variables_of_keras_adam():
    variables = [keras.Variable(np.zeros(shape, np.float32)) for shape in SHAPES]
    ours, theirs = engine().Adam(0.1, name="same"), keras.optimizers.Adam(0.1, name="same")
    for optimizer in (ours, theirs):
        optimizer.build(variables)
    assert [v.path for v in ours.variables] == [v.path for v in theirs.variables]


def test_a_named_loss_is_found_out_in_the_first_step():
    # Of an unnamed one PyTorch asks at every step: it may depend on what is not an argument.
    calls = []

    def loss(x):
        calls.append(x.shape)
        value = ops.mean(ops.square(model.a * x - 1.0))
        return value, {"loss": value}

    model = _duel()
    named = Objective(
        loss=loss, variables=[model.a], optimizer=model.optimizer.members["a"], name="named"
    )
    model.update = lambda data: engine().descend(model, named, data)
    step = engine().stepper(model)
    x = np.ones((4,), np.float32)
    step((x,))
    first = len(calls)
    for _ in range(3):
        step((x,))
    engine().synchronise(model)
    assert len(calls) == first
    # (a - 1)^2 is at its minimum from the start, (2 a - 1)^2 is not: its gradient is 4 (2 a - 1).
    assert number(model.a) == 1.0
    step((2 * x,))
    engine().synchronise(model)
    assert number(model.a) == 1.0 - 0.5 * 4.0


def test_a_recorded_part_of_a_step_reads_and_assigns_its_variables():
    model = _duel()

    def add(logs):
        model.a.assign(model.a + logs["loss"])
        return {"loss": 2.0 * model.a}, model.a - model.b

    recorded = engine().recorded([model.a, model.b], add)

    def update(data):
        logs, difference = recorded({"loss": ops.mean(data[0])})
        model.b.assign(difference)
        return logs

    model.update = update
    step = engine().stepper(model)
    a, b = 1.0, 0.0
    for mean in (0.5, 4.0, -1.0):
        logs = step((np.full((4,), mean, np.float32),))
        a += mean
        b = a - b
        assert number(logs["loss"]) == 2.0 * a
    engine().synchronise(model)
    assert (number(model.a), number(model.b)) == (a, b)


def test_a_model_that_is_compiled_again_moves_what_its_new_optimizer_moves():
    model = _duel()
    x = (np.ones((4,), np.float32),)

    def squares(x):
        value = ops.mean(x) * (ops.square(model.a - 3.0) + ops.square(model.b - 2.0))
        return value, {"loss": value}

    for moved in ([model.a], [model.a, model.b]):
        group = OptimizerGroup({"both": keras.optimizers.SGD(0.5)}, {"both": moved})
        compiled = keras.backend.backend() == "jax"
        model.compile(optimizer=group, jit_compile=compiled, auto_scale_loss=False)
        named = Objective(
            loss=squares, variables=moved, optimizer=group.members["both"], name="squares"
        )
        model.update = lambda data, named=named: engine().descend(model, named, data)
        engine().stepper(model)(x)
        engine().synchronise(model)
    # A step of rate 1/2 along 2 (a - 3) lands on the minimum.
    assert number(model.a) == 3.0
    assert number(model.b) == 2.0
