import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from kgen.errors import KgenError
from kgen.schedule import ScheduleTables, betas, timesteps
from tests.golden.values import GOLDEN


def zero_terminal_snr(steps: np.ndarray) -> np.ndarray:
    """Lin et al. (2023), Algorithm 1."""
    root = np.sqrt(np.cumprod(1 - steps))
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return 1 - np.append(root[0] ** 2, root[1:] ** 2 / root[:-1] ** 2)


BETAS = {
    "linear_T1000": betas("linear", 1000),
    "linear_T1000_scaled_to_T100": betas("linear", 100, 1e-3, 0.2),
    "linear_T200_scaled": betas("linear", 200, 5e-4, 0.1),
    "cosine_T1000": betas("cosine", 1000),
    "cosine_T100": betas("cosine", 100),
    "cosine_T50": betas("cosine", 50),
    # not kgen's to make, but its tables have to hold for any betas
    "scaled_linear_T1000": np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2,
    "linear_T1000_zero_terminal_snr": zero_terminal_snr(betas("linear", 1000)),
}


@pytest.mark.parametrize("name", BETAS)
def test_tables_match_the_golden_ones(name):
    golden = GOLDEN["schedules"][name]
    tables = ScheduleTables.from_betas(BETAS[name])
    assert tables.num_timesteps == golden["T"]
    columns = {
        "beta": tables.betas,
        "alpha_bar": tables.alpha_bars,
        "snr": tables.snr,
        "posterior_variance": tables.posterior_variance,
        "posterior_log_variance_clipped": tables.posterior_log_variance_clipped,
        "posterior_mean_coef_x0": tables.posterior_mean_coef_x0,
        "posterior_mean_coef_xt": tables.posterior_mean_coef_xt,
    }
    for column, values in columns.items():
        # float64: 1 - alpha_bar loses 4 to 5 of 16 digits at t = 0
        assert_allclose(values[golden["t"]], golden[column], rtol=1e-10, err_msg=column)
    assert_allclose(tables.alpha_bars.mean(), golden["mean_alpha_bar"], rtol=1e-12)
    assert np.sum(tables.betas >= 0.999) == golden["n_clipped_betas"]


def test_the_linear_chain_ends_where_a_sum_of_logarithms_says():
    expected = math.exp(math.fsum(math.log1p(-b) for b in betas("linear", 1000)))
    tables = ScheduleTables.from_betas(betas("linear", 1000))
    assert_allclose(tables.alpha_bars[-1], expected, rtol=1e-13)  # 1000 float64 products


def test_cosine_alpha_bars_are_the_squared_cosine_until_the_clipped_step():
    t = np.arange(1, 1000)
    f = np.cos((np.append(0, t) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    tables = ScheduleTables.from_betas(betas("cosine", 1000))
    # float64: cumprod adds up 1000 roundings, and f falls to 2e-6
    assert_allclose(tables.alpha_bars[:-1], f[1:] / f[0], rtol=1e-9)
    assert tables.betas[-1] == 0.999


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_posterior_is_bayes_rule(kind):
    tables = ScheduleTables.from_betas(betas(kind, 1000))
    # q(x_{t-1} | x_t, x_0) ~ q(x_t | x_{t-1}) q(x_{t-1} | x_0): precisions of Gaussians add
    likelihood = tables.alphas[1:] / tables.betas[1:]
    prior = 1 / (1 - tables.alpha_bars_prev[1:])
    variance = 1 / (likelihood + prior)
    assert_allclose(tables.posterior_variance[1:], variance, rtol=1e-9)
    from_xt = variance * np.sqrt(tables.alphas[1:]) / tables.betas[1:]
    from_x0 = variance * np.sqrt(tables.alpha_bars_prev[1:]) * prior
    assert_allclose(tables.posterior_mean_coef_xt[1:], from_xt, rtol=1e-9)
    assert_allclose(tables.posterior_mean_coef_x0[1:], from_x0, rtol=1e-9)
    # t = 0: x_{-1} is x0 itself
    assert tables.posterior_variance[0] == 0
    assert_allclose(tables.posterior_mean_coef_x0[0], 1, rtol=1e-10)


def test_clipped_log_variance_is_finite_wherever_there_are_two_steps():
    for count in (2, 3, 1000):
        tables = ScheduleTables.from_betas(betas("linear", count))
        assert np.all(np.isfinite(tables.posterior_log_variance_clipped))


def test_a_respaced_chain_keeps_the_marginals_of_the_long_one():
    tables = ScheduleTables.from_betas(betas("linear", 1000))
    steps = timesteps(1000, 37)
    made = np.cumprod(1 - tables.respaced(steps).betas)
    assert_allclose(made, tables.alpha_bars[steps], rtol=1e-12)


def test_respacing_to_every_step_changes_nothing():
    tables = ScheduleTables.from_betas(betas("cosine", 100))
    respaced = tables.respaced(np.arange(100))
    assert_allclose(respaced.betas, tables.betas, rtol=1e-11)
    assert_allclose(respaced.posterior_variance, tables.posterior_variance, rtol=1e-9)


@pytest.mark.parametrize("steps", [[3, 2, 1], [1, 1], [-1, 5], [0, 10], [], [[0, 1]]])
def test_respacing_to_steps_that_do_not_ascend_in_range_is_refused(steps):
    with pytest.raises(ValueError, match="Received: timesteps="):
        ScheduleTables.from_betas(betas("linear", 10)).respaced(np.array(steps))


def test_tables_cannot_be_changed():
    tables = ScheduleTables.from_betas(betas("linear", 10))
    with pytest.raises(ValueError, match="read-only"):
        tables.alpha_bars[0] = 0.0


def test_tables_leave_the_callers_betas_alone():
    mine = betas("linear", 10)
    ScheduleTables.from_betas(mine)
    mine[0] = 0.5  # still writable


@pytest.mark.parametrize("bad", [[0.0, 0.1], [0.5, 1.1], [[0.1]], [], [np.nan]])
def test_impossible_betas_are_refused(bad):
    with pytest.raises(ValueError, match="Received: betas="):
        ScheduleTables.from_betas(np.array(bad))


BAD_BARS = [[0.5, 0.5], [0.5, 0.6], [1.0, 0.5], [0.5, -0.1], [[0.1]], [], [np.nan]]


@pytest.mark.parametrize("bad", BAD_BARS)
def test_impossible_alpha_bars_are_refused(bad):
    with pytest.raises(ValueError, match="Received: alpha_bars="):
        ScheduleTables.from_alpha_bars(np.array(bad))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cosin", 10), "Did you mean 'cosine'"),
        (("linear", 0), "Received: num_timesteps=0"),
        (("linear", 10, 0.0, 0.1), "Received: beta_start=0.0"),
        (("linear", 10, 0.2, 0.1), "beta_end=0.1"),
        (("linear", 10, 0.1, 1.0), "beta_end=1.0"),
    ],
)
def test_a_schedule_out_of_range_is_refused(arguments, message):
    with pytest.raises(KgenError, match=message):
        betas(*arguments)


@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
def test_ten_timesteps_match_the_golden_ones(spacing):
    golden = GOLDEN["schedules"]["sampling_timesteps_T1000"][f"S10_{spacing}"]
    assert_array_equal(timesteps(1000, 10, spacing), golden)


@given(st.integers(1, 3000), st.data(), st.sampled_from(["trailing", "leading", "linspace"]))
def test_any_number_of_timesteps_ascends_within_the_chain(count, data, spacing):
    num_steps = data.draw(st.integers(1, count))
    steps = timesteps(count, num_steps, spacing)
    assert len(steps) == num_steps
    assert steps.dtype == np.int64
    assert np.all(np.diff(steps) > 0)
    assert steps[0] >= 0
    assert steps[-1] == count - 1 if spacing != "leading" else steps[-1] < count


def test_trailing_is_the_default():
    assert_array_equal(timesteps(1000, 7), timesteps(1000, 7, "trailing"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0), "Received: num_steps=0"),
        ((10, 11), "Received: num_steps=11"),
        ((10, 5, "trialing"), "Did you mean 'trailing'"),
    ],
)
def test_timesteps_out_of_range_are_refused(arguments, message):
    with pytest.raises(KgenError, match=message):
        timesteps(*arguments)


def test_the_schedule_does_without_keras():
    code = "import sys, kgen.schedule; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
