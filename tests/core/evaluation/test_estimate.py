"""Estimates against what their theory says."""

import numpy as np
import pytest

from kgen.evaluation.diagnostics import estimate
from kgen.evaluation.record import Findings, Series, Value

RNG = np.random.Generator(np.random.Philox(0))


def test_a_mean_comes_with_its_standard_error():
    found = estimate.mean(np.array([1.0, 2.0, 3.0, 6.0]), bar=7.0)
    # variance 14 / 3 of four numbers
    assert found == Value(value=3.0, sd=pytest.approx(np.sqrt(14 / 12)), bar=7.0)
    assert estimate.mean(np.array([5.0])) == Value(value=5.0, sd=None)


def test_the_bootstrap_finds_the_standard_error_of_a_mean():
    x = RNG.standard_normal(400)
    found = estimate.bootstrap_sd(np.mean, x, draws=2000)
    # 2,000 draws know a standard deviation to 1.6 %: four of those
    assert found == pytest.approx(x.std() / 20, rel=0.064)
    assert found == estimate.bootstrap_sd(np.mean, x, draws=2000)
    assert found != estimate.bootstrap_sd(np.mean, x, draws=2000, seed=1)


def test_the_bootstrap_keeps_rows_together():
    x = RNG.standard_normal(50)
    assert estimate.bootstrap_sd(lambda a, b: np.abs(a - b).max(), x, x) == 0.0


def test_chosen_pictures_are_spread_evenly():
    assert estimate.spread(101, 5).tolist() == [0, 25, 50, 75, 100]
    assert estimate.spread(3, 5).tolist() == [0, 1, 2]
    assert estimate.spread(7, 1).tolist() == [0]


def test_what_is_not_finite_is_left_out_and_named():
    line = Series(x=(1.0, 2.0), x_label="x", y_label="y", lines={"model": (1.0, np.nan)})
    bars = Series(x=("a",), x_label="x", y_label="y", lines={"model": (1.0,)})
    found = estimate.only_finite(
        Findings(
            values={
                "elbo": Value(value=-np.inf),
                "iwae": Value(value=1.0, sd=np.nan, bar=np.inf, floor=2.0),
            },
            series={"by_t": line, "latent_kl": bars},
            warnings=("a sentence",),
        )
    )
    assert found.values == {"iwae": Value(value=1.0, floor=2.0)}
    assert found.series == {"latent_kl": bars}
    assert found.warnings[0] == "a sentence"
    assert [w.split()[0] for w in found.warnings[1:]] == ["elbo", "by_t"]
