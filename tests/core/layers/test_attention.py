import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kgen.layers.attention import SelfAttention2D
from tests.core.layers.harness import check_layer, run

pytestmark = pytest.mark.backend


def numbers(*shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(6)).normal(size=shape).astype("float32")


def attention(x: np.ndarray, weights: list[np.ndarray], num_heads: int) -> np.ndarray:
    """Attend in float64, one picture, head and pixel at a time."""
    qkv, qkv_bias, out, out_bias = (w.astype("float64") for w in weights)
    batch, height, width, channels = x.shape
    size = channels // num_heads
    y = np.zeros((batch, height * width, channels))
    for b, head in np.ndindex(batch, num_heads):
        pixels = x[b].reshape(-1, channels) @ qkv + qkv_bias
        q, k, v = (pixels[:, part * channels + head * size :][:, :size] for part in range(3))
        for i in range(height * width):
            weight = np.exp(k @ q[i] / np.sqrt(size))
            y[b, i, head * size : (head + 1) * size] = weight @ v / weight.sum()
    return (y @ out + out_bias).reshape(x.shape)


def test_keeps_the_layer_contract():
    check_layer(SelfAttention2D, {"num_heads": 2}, [numbers(2, 3, 4, 8)])


@pytest.mark.parametrize("num_heads", [1, 2, 4])
def test_equals_attention_computed_pixel_by_pixel(num_heads):
    x = numbers(2, 3, 4, 8)
    layer = SelfAttention2D(num_heads)
    layer.build(x.shape)
    weights = [0.5 * numbers(8, 24), numbers(24), numbers(8, 8), numbers(8)]
    layer.set_weights(weights)
    # float32 rounding of values up to 10 through two matrix products and a softmax
    assert_allclose(run(layer, [x]), attention(x, weights, num_heads), rtol=0, atol=2e-5)


def test_starts_by_adding_nothing():
    assert_array_equal(run(SelfAttention2D(2), [numbers(2, 3, 4, 8)]), 0.0)


def test_channels_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="channels=10, num_heads=4"):
        SelfAttention2D(4).build((None, 4, 4, 10))
