"""The same weights give the same outputs on every backend, and in every version of kgen."""

import json

import pytest
from numpy.testing import assert_allclose

from tests.core.networks.cases import CASES
from tests.core.networks.golden import PATH, summary

pytestmark = pytest.mark.backend

GOLDEN = json.loads(PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_equal_weights_give_the_stored_outputs(case):
    for ours, stored in zip(summary(case), GOLDEN[case], strict=True):
        assert ours["parameters"] == stored["parameters"]
        # float32 (2**-24 = 6e-8) through some twenty layers of sums of up to 800 terms in another
        # order; outputs are of size 1
        for part in ("mean", "std", "values"):
            assert_allclose(ours[part], stored[part], rtol=1e-4, atol=2e-5)
