import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kgen.layers.resample import DepthToSpace, SpaceToDepth
from tests.core.layers.harness import check_layer, run

pytestmark = pytest.mark.backend


def pictures(*shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(5)).normal(size=shape).astype("float32")


def test_keep_the_layer_contract():
    check_layer(SpaceToDepth, {"block": 2}, [pictures(2, 4, 6, 3)])
    check_layer(DepthToSpace, {"block": 2}, [pictures(2, 4, 3, 12)])


@pytest.mark.parametrize("block", [2, 3])
def test_blocks_become_channels_row_by_row(block):
    x = pictures(2, 2 * block, 3 * block, 5)
    y = run(SpaceToDepth(block), [x])
    assert y.shape == (2, 2, 3, 5 * block * block)
    for i, j in np.ndindex(2, 3):
        corner = x[:, i * block : (i + 1) * block, j * block : (j + 1) * block]
        assert_array_equal(y[:, i, j], corner.reshape(2, -1))


@pytest.mark.parametrize("block", [2, 3])
def test_depth_to_space_undoes_space_to_depth(block):
    x = pictures(2, 2 * block, 3 * block, 5)
    assert_array_equal(run(DepthToSpace(block), [run(SpaceToDepth(block), [x])]), x)


def test_with_a_dense_layer_it_is_a_convolution_of_stride_2():
    x, kernel = pictures(2, 6, 4, 3), pictures(2, 2, 3, 7)
    strided = keras.layers.Conv2D(7, 2, strides=2, use_bias=False)
    strided.build(x.shape)
    strided.set_weights([kernel])
    dense = keras.layers.Dense(7, use_bias=False)
    dense.build((2, 3, 2, 12))
    dense.set_weights([kernel.reshape(12, 7)])
    # sums of 12 products in another order
    assert_allclose(run(dense, [run(SpaceToDepth(2), [x])]), run(strided, [x]), rtol=0, atol=1e-5)


def test_after_a_dense_layer_it_is_a_transposed_convolution_of_stride_2():
    x, kernel = pictures(2, 3, 2, 3), pictures(2, 2, 7, 3)  # (rows, columns, out, in)
    transposed = keras.layers.Conv2DTranspose(7, 2, strides=2, use_bias=False)
    transposed.build(x.shape)
    transposed.set_weights([kernel])
    dense = keras.layers.Dense(28, use_bias=False)
    dense.build(x.shape)
    dense.set_weights([kernel.reshape(28, 3).T])
    # sums of 3 products in another order
    ours = run(DepthToSpace(2), [run(dense, [x])])
    assert_allclose(ours, run(transposed, [x]), rtol=0, atol=1e-5)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="height=5, width=4, block=2"):
        SpaceToDepth(2).build((None, 5, 4, 3))
    with pytest.raises(ValueError, match="channels=6, block=2"):
        DepthToSpace(2).build((None, 5, 4, 6))
    with pytest.raises(ValueError, match="block=1"):
        SpaceToDepth(1)
