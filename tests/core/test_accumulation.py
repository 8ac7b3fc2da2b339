"""A batch that is computed in parts trains as one that is computed whole."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen import checkpoint, models
from kgen.errors import KgenError
from kgen.optimizers import build_optimizers
from kgen.step import Objective, OptimizerGroup, engine
from kgen.training import prepare, train
from tests.core import tiny

pytestmark = pytest.mark.backend

STEPS = 3
# SGD: a weight moves in proportion to its gradient. Adam would make a whole step of one that is
# nothing but rounding.
SGD = {"optimizer__name": "sgd", "optimizer__decay": "constant", "optimizer__warmup_steps": 0}
CASES = {
    # A penalty far above the default's: were it not a mean over pictures, it would show.
    "gan": {
        "model__discriminator_steps": 2,
        "model__gradient_penalty": 5.0,
        "optimizer__learning_rate": 1e-3,
    },
    "vae": {"model__prior": "flow", "optimizer__clip_norm": 1.0, "optimizer__learning_rate": 1e-2},
    "ddpm": {
        "model__widths": [8],
        "optimizer__clip_norm": 0.5,
        "optimizer__learning_rate": 1e-1,
    },
}


def trained(family, folder, parts, **overrides):
    """Train a few steps; return the losses (steps, names) and all variables as one vector."""
    values = {**SGD, **CASES[family], **overrides}
    config = tiny.config(family, folder, training__accumulate=parts, **values)
    setup = prepare(config)
    model = setup.model
    for network in model.trained_parts.values():
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # It sees the moments of its part. Not trained, it goes by its running moments.
                layer.trainable = False
    optimizers = build_optimizers(config.optimizer, model.optimized(), 10, model.updates())
    model.compile(optimizer=optimizers, jit_compile=model.jit_compile, auto_scale_loss=False)
    step = engine().stepper(model)
    losses = []
    for index in range(STEPS):
        model.reset_metrics()
        logs = step(setup.batches.batch(0, index))
        losses.append([float(value) for value in logs.values()])
    engine().synchronise(model)
    arrays = [ops.convert_to_numpy(variable).ravel() for variable in checkpoint.variables(model)]
    return np.array(losses), np.concatenate(arrays).astype(np.float64)


def assert_same(received, expected, rtol):
    """Compare losses and variables; small ones against the size of the large."""
    for mine, theirs in zip(received, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)
    assert np.ptp(expected[0][:, 0]) > 0  # steps that change nothing would agree as well


@pytest.mark.parametrize("family", CASES)
def test_losses_and_weights_do_not_depend_on_the_number_of_parts(family, tmp_path):
    whole = trained(family, tmp_path, 1)
    for parts in (2, 4):
        # float32: sums of 8 terms in another order differ by a few roundings of 6e-8 (2e-6 seen).
        assert_same(trained(family, tmp_path, parts), whole, rtol=1e-5)


HALVES = keras.backend.backend() != "torch"  # whose operations use the cores well


def halved(monkeypatch):
    """Compute the halves of a batch at the same time where the backend can; count the times."""
    traced, step = [], engine()
    monkeypatch.setattr(step, "two_at_a_time", lambda: True)
    if HALVES:
        original = step._side_by_side
        counted = lambda *given: traced.append(1) or original(*given)  # noqa: E731
        monkeypatch.setattr(step, "_side_by_side", counted)
    return traced


@pytest.mark.parametrize("family", CASES)
def test_nor_on_whether_its_halves_are_computed_at_the_same_time(family, tmp_path, monkeypatch):
    monkeypatch.setattr(engine(), "two_at_a_time", lambda: False)
    whole = trained(family, tmp_path, 1)
    traced = halved(monkeypatch)
    assert_same(trained(family, tmp_path, 1), whole, rtol=1e-5)  # as above
    # Pictures of a GAN share batch norms; that they are switched off here, the model cannot know.
    assert bool(traced) == (HALVES and family != "gan")


def test_an_odd_batch_is_not_halved(tmp_path, monkeypatch):
    traced = halved(monkeypatch)
    losses, _ = trained("vae", tmp_path, 1, training__batch_size=7)
    assert np.isfinite(losses).all()
    assert not traced


def test_in_float16_neither_do_they(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        whole, halves = (
            trained("vae", tmp_path, parts, training__precision="float16") for parts in (1, 4)
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert_same(halves, whole, rtol=1e-3)  # float16's rounding: 5e-4


@pytest.mark.parametrize("family", ["gan", "ddpm"])
def test_part_j_has_every_picture_from_j_on_in_steps_of_the_number_of_parts(family, tmp_path):
    model = models.build(tiny.config(family, tmp_path), (16, 16, 1))
    x, labels = tiny.pictures(8), np.arange(8, dtype=np.int32)
    noise = {name: ops.convert_to_numpy(n) for name, n in model.draw(8, 1).items()}
    tensors = ops.convert_to_tensor
    noises = {name: tensors(n) for name, n in noise.items()}
    cut = model.in_parts(4, tensors(x), tensors(labels), noises)
    for part in range(4):
        np.testing.assert_array_equal(ops.convert_to_numpy(cut[0][part]), x[part::4])
        np.testing.assert_array_equal(ops.convert_to_numpy(cut[1][part]), labels[part::4])
        for name, whole in noise.items():
            expected = whole[:, part::4] if family == "gan" else whole[part::4]
            np.testing.assert_array_equal(ops.convert_to_numpy(cut[2][name][part]), expected)


def test_parts_must_be_equal(tmp_path):
    with pytest.raises(KgenError, match=r"divides.*accumulate=3, batch_size=8"):
        tiny.config("vae", tmp_path, training__accumulate=3)


def test_a_run_goes_on_in_another_number_of_parts(tmp_path):
    values = {**SGD, "optimizer__learning_rate": 1e-5}
    whole = tiny.new_run("ae", tmp_path, "whole", **values, training__steps=4)
    train(whole)
    run = tiny.new_run("ae", tmp_path, **values, training__steps=2)
    train(run)
    config = tiny.config("ae", tmp_path, **values, training__steps=4, training__accumulate=2)
    train(run.replace_config(config), resume=True)
    mine, theirs = (checkpoint.read(checkpoint.paths(r.checkpoints)[-1]) for r in (run, whole))
    assert mine.step == theirs.step == 4
    for a, b in zip(mine.arrays, theirs.arrays, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # as above


class Slope(keras.Model):
    """One number a with the loss a * mean(x), whose gradient is mean(x)."""

    log_names = ("another", "loss")

    def __init__(self, parts):
        super().__init__()
        self.a = self.add_weight(name="a", shape=(), initializer="ones")
        self.calls = self.add_weight(
            name="calls", shape=(), initializer="zeros", dtype="int32", trainable=False
        )
        self.draws = self.add_weight(name="draws", shape=(), initializer="zeros", trainable=False)
        self.seeds = keras.random.SeedGenerator(7)
        self.parts = parts
        self.built = True

    def train_step(self, *args):
        return engine().train_step(self, *args)

    def update(self, data):
        (x,) = data
        objective = Objective(
            loss=self.loss_and_logs, variables=[self.a], optimizer=self.optimizer.members["a"]
        )
        return engine().descend(self, objective, (x, None), self.parts)

    def loss_and_logs(self, x, labels):
        assert labels is None
        self.calls.assign(self.calls + 1)
        self.draws.assign(self.draws + keras.random.uniform((), seed=self.seeds))
        loss = self.a * ops.mean(x)
        return loss, {"loss": loss}


def stepped(x):
    """Make one step of rate 0.5 on parts float32 (number of parts, pictures)."""
    model = Slope(len(x))
    group = OptimizerGroup({"a": keras.optimizers.SGD(0.5)}, {"a": [model.a]})
    compiled = keras.backend.backend() == "jax"
    model.compile(optimizer=group, jit_compile=compiled, auto_scale_loss=False)
    logs = engine().stepper(model)((np.array(x, np.float32),))
    engine().synchronise(model)
    return model, float(logs["loss"])


def number(variable):
    return ops.convert_to_numpy(variable).item()


def test_one_update_by_the_mean_gradient():
    model, loss = stepped([[1, 3], [2, 6], [1, 1], [0, 2]])
    # Means of small integers over powers of two: exact in float32.
    assert loss == 2.0
    assert number(model.a) == 1.0 - 0.5 * 2.0
    assert number(model.optimizer.members["a"].iterations) == 1


def test_what_a_part_assigns_the_next_one_finds():
    model, _ = stepped(np.ones((4, 2)))
    assert number(model.calls) == 4
    seeds = keras.random.SeedGenerator(7)
    expected = sum(number(keras.random.uniform((), seed=seeds)) for _ in range(4))
    np.testing.assert_allclose(number(model.draws), expected, rtol=1e-6)  # float32 rounding


def test_an_overflow_in_one_part_skips_the_update_and_halves_the_scale_once():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model, _ = stepped([[1, 1], [np.inf, 1], [1, 1], [1, 1]])
        fine, _ = stepped([[1, 3], [2, 6], [1, 1], [0, 2]])
    finally:
        keras.config.set_dtype_policy("float32")
    scaled = model.optimizer.members["a"]
    assert number(model.a) == 1.0
    assert number(scaled.dynamic_scale) == scaled.initial_scale / 2
    assert number(fine.a) == 0.0  # as in float32: a scale that is a power of two changes no bit
    assert number(fine.optimizer.members["a"].dynamic_scale) == scaled.initial_scale
