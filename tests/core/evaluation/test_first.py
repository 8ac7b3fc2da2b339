"""What an evaluation keeps of the pictures that stream through it."""

import gc
import weakref

import numpy as np
import pytest

from kgen.evaluation.evaluate import _First

pytestmark = pytest.mark.backend


def test_the_first_pictures_are_kept_and_no_lot_stays_in_memory():
    lots = []

    def drawn():
        for level in range(9):
            lot = np.full((40, 8, 8, 1), level, np.uint8)
            lots.append(weakref.ref(lot))
            yield lot

    first = _First(100)
    for _ in first.watching(drawn()):
        gc.collect()
        # The one that is looked at, and the one before, which the generator lets go of next.
        assert sum(lot() is not None for lot in lots) <= 2
    levels = np.repeat([0, 1, 2], [40, 40, 20])
    np.testing.assert_array_equal(first.images()[:, 0, 0, 0], levels)
