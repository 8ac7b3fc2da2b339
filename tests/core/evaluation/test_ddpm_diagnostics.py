"""The numbers of diffusion models against Gaussian pictures, whose best denoiser is known."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose
from scipy import special, stats

from kgen.evaluation.diagnostics import ddpm, timesteps
from kgen.evaluation.diagnostics.linear import Linear
from kgen.models.ddpm import DDPM
from tests.core.evaluation.test_linear import correlated
from tests.golden.values import GOLDEN

pytestmark = pytest.mark.backend

SHAPE = (8, 8, 1)
GAUSSIAN = GOLDEN["gaussian_diffusion"]
STD = GAUSSIAN["data"]["std"]


class Best(DDPM):
    """A DDPM whose network is the exact denoiser of pixels N(0, variance), or a multiple of it."""

    variance, factor = STD**2, 1.0

    def _x0_hat(self, xt, t):
        a, s = self.schedule._signal_and_noise(t, xt)
        return self.factor * a * self.variance / (a * a * self.variance + s * s) * xt


class Knows(DDPM):
    """A DDPM whose network is the best linear denoiser of pictures, and beside it at some t."""

    linear, bad = Linear.fit(correlated(300, SHAPE)), (0, 0)

    def _x0_hat(self, xt, t):
        a, s = self.schedule._signal_and_noise(t, xt)
        a, s = a[:, :, 0, 0], s[:, :, 0, 0]
        basis, variances, mean = (
            ops.convert_to_tensor(x.astype(np.float32))
            for x in (self.linear.basis, 4 * self.linear.variances, 2 * self.linear.mean - 1)
        )
        parts = ops.matmul(ops.reshape(xt, (-1, 64)) - a * mean, basis)
        x0_hat = mean + ops.matmul(
            parts * a * variances / (a * a * variances + s * s), ops.transpose(basis)
        )
        bad = ops.logical_and(t >= self.bad[0], t < self.bad[1])
        beside = ops.expand_dims(ops.where(bad, 2.0, 0.0), 1)
        return ops.reshape(x0_hat + beside, (-1, *SHAPE))


def build(kind, schedule="linear", num_timesteps=1000):
    settings = {"widths": [8], "schedule": schedule, "num_timesteps": num_timesteps}
    return kind(settings, SHAPE)


def gaussian_pictures(n, seed=0):
    """Make pixels N(0, STD^2) in [-1, 1], rounded to grey levels."""
    x = STD * np.random.Generator(np.random.Philox(seed)).standard_normal((n, *SHAPE))
    return ((x + 1) * 127.5).round().clip(0, 255).astype(np.uint8)


@pytest.fixture
def few(monkeypatch):
    """Look at few pictures: the errors that are told get larger, and are checked."""
    monkeypatch.setattr(ddpm, "PICTURES", 32)
    monkeypatch.setattr(ddpm, "DRAWS", 1024)


def first_term(beta):
    """Integrate -log p(x0 | x_1) over N(0, STD^2) grey levels and the exact x0_hat, in nats."""
    keep = STD**2 / (STD**2 + beta / (1 - beta))  # x0_hat = keep * (x0 + noise)
    levels = np.arange(256) / 127.5 - 1
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    x0_hat = keep * (levels[:, None] + np.sqrt(beta / (1 - beta)) * nodes)
    edges = [(levels[:, None] + side / 255 - x0_hat) / np.sqrt(beta) for side in (-1, 1)]
    # the side of 0 on which both tails keep their digits
    edges = [np.where(levels[:, None] > x0_hat, -edge, edge) for edge in edges]
    cost = -np.log(np.abs(special.ndtr(edges[1]) - special.ndtr(edges[0])))
    return np.average(cost @ weights / weights.sum(), weights=stats.norm.pdf(levels, 0, STD))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_exact_denoiser_of_gaussian_pictures_has_the_reference_error_and_bound(schedule, few):
    model = build(Best, schedule)
    found = ddpm.examine(model, gaussian_pictures(512), gaussian_pictures(512, 1))
    error, bits = found.values["eps_mse"], found.values["vlb_bits_per_dim"]
    expected = GAUSSIAN[f"min_L_simple_uniform_t_{schedule}_T1000"]
    # four standard errors as told, which are small themselves
    assert 0 < error.sd < 0.01 * expected
    assert_allclose(error.value, expected, atol=4 * error.sd)
    golden = GAUSSIAN["vlb_nats_per_dim_optimal_predictor"][f"{schedule}_T1000/fixed_large"]
    nats = golden["sum_L_mid"] + first_term(model.schedule.tables.betas[0])
    # L_T, below 1e-5 in either, counts too: mu is 0 here, where the reference has 0.5
    assert 0 < bits.sd < 0.01 * bits.value
    assert_allclose(bits.value, nats / np.log(2), atol=4 * bits.sd + 1e-5)


def test_the_errors_that_are_told_are_those_of_other_seeds(few):
    model, held_out, train = build(Best), gaussian_pictures(2048), gaussian_pictures(64, 1)
    found = [ddpm.examine(model, held_out, train, seed=seed).values for seed in range(8)]
    for name in ("eps_mse", "vlb_bits_per_dim"):
        spread = np.std([f[name].value for f in found], ddof=1)
        told = np.mean([f[name].sd for f in found])
        # chi^2 of 7 degrees: 99.8 % of such ratios lie between 0.29 and 1.87
        assert 0.29 < spread / told < 1.87


def test_at_each_timestep_the_exact_denoiser_is_as_good_as_the_closed_form(few):
    model = build(Best)
    found = ddpm.examine(model, gaussian_pictures(512), gaussian_pictures(4096, 1))
    series = found.series["eps_mse_by_t"]
    t = np.array(series.x).astype(int) - 1
    assert t[0] == 0
    assert t[-1] == 999
    assert 15 <= len(t) <= timesteps.TIMESTEPS + 2
    ab = model.schedule.tables.alpha_bars[t]
    expected = ab * STD**2 / (ab * STD**2 + 1 - ab)
    # 32 pictures of 64 pixels: 2,048 squares with relative sd sqrt(2 / 2048), four of them
    assert_allclose(series.lines["model"], expected, rtol=0.125)
    # the bar is fit on 4,096 pictures
    assert_allclose(series.lines["best linear denoiser"], expected, rtol=0.125)
    assert not any("worse than the best linear" in sentence for sentence in found.warnings)


def test_the_series_of_the_bound_are_its_terms(few):
    model = build(Best)
    found = ddpm.examine(model, gaussian_pictures(256), gaussian_pictures(64, 1))
    series = found.series["vlb_by_t"]
    t = np.array(series.x).astype(int) - 1
    tables = model.schedule.tables
    ab, beta = tables.alpha_bars[t[1:]], tables.betas[t[1:]]
    x0_mse = STD**2 * (1 - ab) / (ab * STD**2 + 1 - ab)
    # Ho et al. eq. 8, with beta_tilde / beta = (1 - ab_prev) / (1 - ab)
    ratio = (1 - tables.alpha_bars_prev[t[1:]]) / (1 - ab)
    squares = tables.alpha_bars_prev[t[1:]] * beta / (1 - ab) ** 2 * x0_mse
    expected = [first_term(tables.betas[0]), *(0.5 * (ratio - 1 - np.log(ratio) + squares))]
    # as above; rounding to 256 levels adds (2/255)^2 / 12 to a posterior variance of 1e-4: 5 %
    assert_allclose(series.lines["model"], np.array(expected) / np.log(2), rtol=0.17)


def test_timesteps_at_which_the_network_is_worse_than_linear_are_named(few):
    held_out, train = correlated(64, SHAPE, seed=1), correlated(300, SHAPE)
    model = build(Knows)
    found = ddpm.examine(model, held_out, train)
    assert found.warnings == ()
    bars = found.series["eps_mse_by_t"].lines
    # the same denoiser of the same noise, in float32: x0 has an error of 1e-6 there, seen through
    # sqrt(snr) = 100 at the first timestep, and cancels against eps at the last, of 1e-3
    assert_allclose(bars["model"], bars["best linear denoiser"], rtol=1e-3)
    model = build(Knows)
    model.bad = (300, 700)
    found = ddpm.examine(model, held_out, train)
    chosen = [int(t) for t in found.series["eps_mse_by_t"].x if 300 <= t - 1 < 700]
    assert f"denoiser at {chosen[0]} to {chosen[-1]} of 1000 timesteps" in found.warnings[0]


def test_a_network_that_learned_nothing_is_told_and_costs_more_bits(few):
    held_out, train = gaussian_pictures(64), gaussian_pictures(64, 1)
    model = build(Best)
    model.factor = 0.0
    found = ddpm.examine(model, held_out, train)
    best = ddpm.examine(build(Best), held_out, train)
    assert any("Over all timesteps" in sentence for sentence in found.warnings)
    bits, fewest = (f.values["vlb_bits_per_dim"].value for f in (found, best))
    assert bits > fewest + 1


def test_a_chain_that_does_not_end_in_noise_is_told(few):
    settings = {"widths": [8], "schedule": "linear", "num_timesteps": 50}
    found = ddpm.examine(Best(settings, SHAPE), gaussian_pictures(64), gaussian_pictures(64, 1))
    # ab = 0.6 after 50 steps: L_T = (0.6 (0.04 - 1) - log 0.4) / 2 nats
    assert any("still show 0.2" in sentence for sentence in found.warnings)


@pytest.mark.parametrize("length", [2, 5, 50, 1000, 10_000])
def test_timesteps_are_drawn_uniformly(length):
    strata = timesteps.Strata.draw(length, 2048, seed=0)
    assert strata.widths.sum() == length
    assert strata.t.min() == 0
    assert strata.t.max() < length
    found = strata.total(strata.t.reshape(-1).astype(float))
    # the sum of all timesteps, within four standard errors
    assert abs(found.value - length * (length - 1) / 2) <= 4 * found.sd
    chosen = timesteps.timesteps(length)
    assert chosen[0] == 0
    assert chosen[-1] == length - 1
    assert len(chosen) == min(length, len(chosen)) <= timesteps.TIMESTEPS + 2


@pytest.mark.parametrize("asked", [{}, {"sampler": "ddim", "num_steps": 3, "eta": 0.5}])
def test_pictures_of_a_trajectory_lie_in_rows(asked):
    model = build(Best, num_timesteps=20)
    rows = ddpm.trajectory_pictures(model, seed=3, **asked).reshape(8, 8, *SHAPE)
    np.testing.assert_array_equal(rows[:, -1], model.generate(8, seed=3, **asked))
    assert rows[:, 0].std() > 1.5 * rows[:, -1].std()  # from N(0, 1), cut off, to N(0, 0.04)


def test_progress_is_told(few):
    told = []
    ddpm.examine(
        build(Best, num_timesteps=20), gaussian_pictures(40), gaussian_pictures(64, 1),
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_quality_is_measured_by_the_number_of_steps():
    model, told = build(Best, num_timesteps=60), []
    drawn = {}

    def measure(images):
        drawn[len(drawn)] = images
        return float("nan") if len(drawn) == 2 else float(images.std())

    series = ddpm.steps_curve(
        model, measure, n=5, y_label="spread", numbers=(2, 5, 60, 100), sampler="ddpm",
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert series.x == (2.0, 60.0)  # 5 was not finite, and 100 is more than there are
    assert series.lines == {"ddpm fixed_small": (drawn[0].std(), drawn[2].std())}
    np.testing.assert_array_equal(drawn[2], model.generate(5, num_steps=60, sampler="ddpm"))
    assert told[-1] == (67, 67)


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [({}, {"eta": 0.0}), ({"sampler": "ddim", "eta": 1.0}, {"sampler": "ddim", "eta": 0.0}),
     ({"sampler": "ddpm"}, {"sampler": "ddpm"})],
)  # fmt: skip
def test_numbers_of_steps_are_shown_without_noise_where_there_can_be_none(asked, drawn):
    model = build(Best, num_timesteps=60)
    shown = ddpm.steps_pictures(model, numbers=(2, 60, 100), **asked)
    np.testing.assert_array_equal(shown[8:], model.generate(8, num_steps=60, **drawn))
    assert len(shown) == 16
