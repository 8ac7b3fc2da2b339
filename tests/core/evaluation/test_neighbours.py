"""Precision, recall, density and coverage against golden values, plain loops, and Monte Carlo."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kgen.evaluation.metrics import neighbours as module
from kgen.evaluation.metrics.neighbours import choose, neighbours
from tests.golden.values import GOLDEN

NAMES = ("precision", "recall", "density", "coverage")
METRICS = GOLDEN["metrics"]
GOLDEN_CASES = METRICS["prdc_toy (real=X, fake=Y, k-th neighbour excludes self)"]


def values(a: np.ndarray, b: np.ndarray, k: int = 5) -> dict[str, float]:
    found = neighbours(a, b, k, sd=False)
    return {name: getattr(found, name).value for name in NAMES}


def draws(n: int, d: int, seed: int, scale=1.0, shift=0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) * scale + shift


@pytest.mark.parametrize("k", [3, 5])
def test_they_are_golden(k):
    x, y = (np.array(METRICS["toy_sets"][name]) for name in "XY")
    found = values(x, y, k)
    for name in NAMES:
        assert_allclose(found[name], GOLDEN_CASES[f"k{k}"][name], rtol=1e-12)  # shares of counts


def test_blocks_change_nothing(monkeypatch):
    a, b = draws(100, 4, 0), draws(80, 4, 1, 1.2)
    whole = values(a, b)
    monkeypatch.setattr(module, "_CELLS", 700)  # 8 rows at a time
    assert values(a, b) == whole


def test_a_copy_of_the_reference_is_real_and_covers_it():
    a = draws(200, 4, 0)
    found = values(a, a)
    assert (found["precision"], found["recall"], found["coverage"]) == (1.0, 1.0, 1.0)
    # A row lies in its own ball, and in those of the rows that it is among the 5 nearest of: 5 on
    # average.
    assert_allclose(found["density"], 1 + 1 / 5, rtol=1e-12)


def test_repeating_few_real_rows_has_precision_and_no_recall():
    real = draws(500, 4, 0)
    found = values(real, np.repeat(draws(10, 4, 1), 50, axis=0))
    assert found["precision"] > 0.8
    assert found["recall"] == 0.0
    assert found["coverage"] < 0.25


def test_far_away_nothing_is_near():
    found = values(draws(100, 4, 0), draws(100, 4, 1, shift=100.0))
    assert set(found.values()) == {0.0}


def test_an_offset_that_all_features_share_changes_nothing():
    a, b = draws(100, 4, 0), draws(100, 4, 1, 1.1)
    assert values(a + 1e6, b + 1e6) == values(a, b)


def test_rows_are_chosen_once_each_and_by_the_seed():
    found = choose(100, 30, 7)
    assert len(set(found.tolist())) == 30
    assert found.tolist() == choose(100, 30, 7).tolist()
    assert found.tolist() == choose(100, 100, 7)[:30].tolist()
    assert found.tolist() != choose(100, 30, 8).tolist()
    assert sorted(choose(100, 1000, 0).tolist()) == list(range(100))


@pytest.mark.parametrize(
    ("scale", "shift"), [(1.0, 0.0), (1.05, 0.1), (0.6, 0.7)], ids=["same", "near", "far"]
)
def test_the_standard_deviations_are_those_over_draws(scale, shift):
    pairs = [(draws(500, 8, 2 * i), draws(500, 8, 2 * i + 1, scale, shift)) for i in range(60)]
    found = [list(values(a, b).values()) for a, b in pairs]
    estimates = [neighbours(a, b) for a, b in pairs[:10]]
    squares = [[(getattr(e, name).sd or 0.0) ** 2 for name in NAMES] for e in estimates]
    # The true ones are known to 1 / sqrt(120) = 9 %, an estimate to 15 %, mean over 10 draws 5 %;
    # parts of 100 rows are not yet large beside k = 5.
    ratio = np.sqrt(np.mean(squares, axis=0)) / np.std(found, axis=0)
    assert np.all((ratio > 1 / 1.5) & (ratio < 1.5)), ratio


def test_of_few_rows_no_standard_deviation_is_given():
    assert neighbours(draws(40, 2, 0), draws(40, 2, 1)).recall.sd is None
