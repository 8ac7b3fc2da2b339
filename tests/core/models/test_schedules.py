"""Learning rates that fall to 0 do so at the end of a run, for each player of a GAN."""

import numpy as np
import pytest
from keras import ops

from kgen import training
from tests.core import tiny

pytestmark = pytest.mark.backend


def test_the_rates_of_both_players_reach_zero_with_the_last_step(tmp_path):
    setup = training.prepare(
        tiny.config("gan", tmp_path, model__discriminator_steps=3, optimizer__decay="cosine")
    )
    total = setup.plan.total_steps
    members = setup.model.optimizer.members
    for name, updates in (("discriminator", 3), ("generator", 1)):
        peak, middle, end = (
            float(ops.convert_to_numpy(members[name]._learning_rate(moves * updates)))
            for moves in (0, total // 2, total)
        )
        # A cosine's middle is half of its peak: float32 of numbers of size 1e-3.
        np.testing.assert_allclose([middle, end], [peak / 2, 0.0], rtol=1e-5, atol=1e-9)
        assert peak > 0
