import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from kgen.layers import TimeEmbedding
from tests.core.layers.harness import check_layer, run
from tests.golden.values import GOLDEN

pytestmark = pytest.mark.backend

T = np.array([0, 1, 37, 999], "int32")


def test_keeps_the_layer_contract_for_int_and_float_timesteps():
    for t in (T, T.astype("float32")):
        # XLA's sine of an angle of 999 differs by the angle's own float32 rounding, 6e-5
        check_layer(TimeEmbedding, {"dim": 8}, [t], float32_output=True, rtol=0, atol=1e-4)


def test_matches_the_golden_embedding():
    golden = GOLDEN["misc"]["sinusoidal_embedding_dim8_t37"]["half/(half) [sin,cos]"]
    embedded = run(TimeEmbedding(8), [np.array([37], "int32")])
    # float32 rounding of an angle of 37: 37 * 2**-24 = 2e-6
    assert_allclose(embedded, [golden], rtol=0, atol=5e-6)


def test_tells_the_thousand_timesteps_apart_under_half_precision():
    embedded = run(TimeEmbedding(64, dtype="mixed_bfloat16"), [np.arange(1000, dtype="float32")])
    assert len(np.unique(embedded, axis=0)) == 1000


@pytest.mark.parametrize("dim", [0, 1, 7, 2.0])
def test_a_dim_without_halves_is_refused(dim):
    with pytest.raises(ValueError, match="Received: dim="):
        TimeEmbedding(dim)


def test_a_t_that_is_not_a_vector_is_refused():
    with pytest.raises(ValueError, match=r"Received: t.shape=\(4, 1\)"):
        TimeEmbedding(8)(ops.reshape(T, (4, 1)))
