import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from kgen.layers.coupling import Coupling
from kgen.noise import normal
from tests.core.layers.harness import check_layer, run

pytestmark = pytest.mark.backend

KEPT = [True, False, False]
X = normal(0, (5, 3))


def bent():
    """A layer with random weights, far from the identity; and those weights in float64."""
    layer = Coupling(KEPT, width=6)
    layer.build((None, 3))
    layer.set_weights([normal(1, w.shape, stream=i) for i, w in enumerate(layer.get_weights())])
    return layer, [w.astype("float64") for w in layer.get_weights()]


def test_keeps_the_layer_contract():
    check_layer(Coupling, {"kept": KEPT, "width": 6}, [X], float32_output=True)


def test_it_scales_and_shifts_what_is_not_kept_by_the_kept():
    layer, (w0, b0, w1, b1, ws, bs, wt, bt) = bent()
    x = X.astype("float64")
    kept = np.array(KEPT)
    hidden = np.maximum(np.maximum(x * kept @ w0 + b0, 0) @ w1 + b1, 0)
    s, t = np.tanh(hidden @ ws + bs), hidden @ wt + bt
    expected = np.where(kept, x, x * np.exp(s) + t)
    # float32: sums of six products of numbers up to 10
    assert_allclose(run(layer, [X]), expected, rtol=1e-5, atol=2e-5)
    assert_array_equal(run(layer, [X])[:, 0], X[:, 0])
    back, log_det = layer.inverse(ops.convert_to_tensor(expected.astype("float32")))
    assert_allclose(ops.convert_to_numpy(back), X, rtol=1e-4, atol=1e-4)  # divided by exp(s)
    assert_allclose(ops.convert_to_numpy(log_det), -np.sum(s * ~kept, axis=1), rtol=1e-5, atol=1e-5)


def test_a_new_one_is_the_identity():
    assert_array_equal(run(Coupling(KEPT), [X]), X)


def test_vectors_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"vectors of 3 numbers.*\(None, 4\)"):
        Coupling(KEPT).build((None, 4))
