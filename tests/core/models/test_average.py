"""The weight average against its closed form."""

import numpy as np
import pytest
from keras import ops

from kgen import models
from kgen.models.means import Means
from tests.core import tiny

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_the_average_of_a_constant_is_one_minus_the_product_of_the_decays(decay, tmp_path):
    model = models.build(tiny.config("gan", tmp_path), (16, 16, 1), ema_decay=decay)
    network, twin = model.averages[0]
    network.set_weights([np.ones(w.shape, np.float32) for w in network.weights])
    twin.set_weights([np.zeros(w.shape, np.float32) for w in twin.weights])
    steps = 20
    for _ in range(steps):
        model._average(model._advance(ops.convert_to_tensor([0.0])))
    k = np.arange(1, steps + 1)
    expected = 1 - np.prod(np.minimum(decay, (1 + k) / (10 + k)))
    # float32 rounding of twenty updates
    for weight in twin.get_weights():
        np.testing.assert_allclose(weight, expected, rtol=1e-5)
    assert ops.convert_to_numpy(model.step) == steps


def test_the_first_loss_that_is_not_finite_is_noted(tmp_path):
    model = models.build(tiny.config("ae", tmp_path), (16, 16, 1))
    for loss in (1.0, np.nan, 1.0, np.inf):
        model._advance(ops.convert_to_tensor(np.array([loss], np.float32)))
    assert ops.convert_to_numpy(model.first_bad_step) == 1


def test_means_are_those_of_the_steps_since_the_reset():
    means = Means(("a", "b"))
    for a in (1.0, 2.0, 6.0):
        means.update_state(ops.convert_to_tensor([a, -a]))
    assert {name: float(value) for name, value in means.result().items()} == {"a": 3.0, "b": -3.0}
    means.update_state(ops.convert_to_tensor([np.inf, 0.0]))
    means.update_state(ops.convert_to_tensor([1.0, 0.0]))
    assert not np.isfinite(float(means.result()["a"]))
    means.reset_state()
    means.update_state(ops.convert_to_tensor([5.0, 7.0]))
    assert {name: float(value) for name, value in means.result().items()} == {"a": 5.0, "b": 7.0}
