"""Samplers against the Gaussian whose best denoiser, and so whose samples, are known exactly."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from kgen.errors import KgenError
from kgen.layers import NoiseSchedule
from kgen.sampler_plans import SamplerPlan, ddim_plan, ddpm_plan, dpmpp_plan
from kgen.samplers import sample
from kgen.schedule import ScheduleTables, betas, timesteps
from tests.golden.values import GOLDEN

GAUSSIAN = GOLDEN["gaussian_diffusion"]
MU, VAR = GAUSSIAN["data"]["mu"], GAUSSIAN["data"]["var"]
TABLES = {kind: ScheduleTables.from_betas(betas(kind, 1000)) for kind in ("linear", "cosine")}
PLANS = {
    "ddpm_small": lambda tables, ts: ddpm_plan(tables, ts, "fixed_small"),
    "ddpm_large": lambda tables, ts: ddpm_plan(tables, ts, "fixed_large"),
    "ddim_eta0": lambda tables, ts: ddim_plan(tables, ts, 0.0),
    "ddim_eta0.5": lambda tables, ts: ddim_plan(tables, ts, 0.5),
    "ddim_eta1": lambda tables, ts: ddim_plan(tables, ts, 1.0),
}
DPMPP = {
    f"dpmpp_eta{eta:g}": lambda tables, ts, eta=eta: dpmpp_plan(tables, ts, eta)
    for eta in (0.0, 0.5, 1.0)
}
EVERY = PLANS | DPMPP


def golden_cases():
    """Read every tabulated case as (schedule, number of steps, spacing, golden moments)."""
    for name, moments in GAUSSIAN["sampler_output_moments"].items():
        schedule, steps, spacing = name.split("/")
        yield schedule.split("_")[0], int(steps[1:]), spacing, moments


def denoiser(plan: SamplerPlan, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Write the best x0_hat = E[x0 | xt] = a * xt + b for each step of a plan."""
    ab = TABLES[kind].alpha_bars[plan.timesteps]
    a = VAR * np.sqrt(ab) / (ab * VAR + 1 - ab)
    return a, MU - a * np.sqrt(ab) * MU


def output_moments(plan: SamplerPlan, kind: str, extra: np.ndarray | float = 0.0):
    """Propagate mean and variance from N(0, 1) through the plan's affine steps, exactly.

    The state is (xt, x0_last), since a step may read both.
    """
    a, b = denoiser(plan, kind)
    mean, cov = np.zeros(2), np.diag([1.0, 0.0])
    for i, noise in enumerate(plan.sigma**2 + extra):
        gain = np.array([[plan.coef_x0[i] * a[i] + plan.coef_xt[i], plan.coef_last[i]], [a[i], 0]])
        mean = gain @ mean + np.array([plan.coef_x0[i] * b[i], b[i]])
        cov = gain @ cov @ gain.T + np.diag([noise, 0.0])
    return mean[0], cov[0, 0]


@pytest.mark.parametrize("name", PLANS)
def test_plans_have_the_golden_output_moments_exactly(name):
    for kind, steps, spacing, golden in golden_cases():
        plan = PLANS[name](TABLES[kind], timesteps(1000, steps, spacing))
        mean, var = output_moments(plan, kind)
        case = f"{kind} S={steps} {spacing}"
        # float64 through up to 1000 steps, with alpha_bars down to 2e-9
        assert_allclose(mean, golden[name]["mean"], rtol=1e-8, err_msg=case)
        assert_allclose(var, golden[name]["var"], rtol=1e-8, err_msg=case)


def test_adding_the_variance_of_x0_given_xt_returns_the_data_at_any_number_of_steps():
    for kind, steps, spacing, golden in golden_cases():
        plan = ddpm_plan(TABLES[kind], timesteps(1000, steps, spacing))
        ab = TABLES[kind].alpha_bars[plan.timesteps]
        uncertain = (1 - ab) * VAR / (ab * VAR + 1 - ab)
        mean, var = output_moments(plan, kind, plan.coef_x0**2 * uncertain)
        assert_allclose(mean, golden["ddpm_optimal"]["mean"], rtol=1e-8)
        assert_allclose(var, golden["ddpm_optimal"]["var"], rtol=1e-8)
        if spacing == "trailing":  # starts where xt really is N(0, 1), but for ab[999]
            assert_allclose([mean, var], [MU, VAR], rtol=1e-3)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [1, 7, 50, 1000])
def test_ddim_with_eta_1_is_ddpm_with_the_small_variance(kind, steps):
    ts = timesteps(1000, steps)
    ddim, ddpm = ddim_plan(TABLES[kind], ts, 1.0), ddpm_plan(TABLES[kind], ts)
    assert_array_equal(ddim.timesteps, ddpm.timesteps)
    for column in ("coef_x0", "coef_xt", "sigma"):
        # float64; coef_x0 is a difference of numbers near 1
        ours, theirs = getattr(ddim, column), getattr(ddpm, column)
        assert_allclose(ours, theirs, rtol=1e-7, atol=1e-10)


def test_ddpm_over_every_timestep_is_the_schedules_posterior():
    tables = TABLES["linear"]
    plan = ddpm_plan(tables, np.arange(1000))
    assert_allclose(plan.coef_x0[::-1], tables.posterior_mean_coef_x0, rtol=1e-9)
    assert_allclose(plan.coef_xt[::-1], tables.posterior_mean_coef_xt, rtol=1e-9)
    assert_allclose(plan.sigma[::-1] ** 2, tables.posterior_variance, rtol=1e-9)
    large = ddpm_plan(tables, np.arange(1000), "fixed_large")
    assert_allclose(large.sigma[:-1][::-1] ** 2, tables.betas[1:], rtol=1e-9)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize(("make", "order"), [(ddim_plan, 1), (dpmpp_plan, 2)])
def test_the_error_of_a_path_falls_with_the_solvers_order(kind, make, order):
    # The probability flow of N(MU, VAR) keeps the number of deviations that x is from its mean.
    # From t = 799 to 99 only: the last step, to x0_hat, is of first order for every sampler.
    def error(steps):
        ts = np.linspace(99, 799, steps + 1).round().astype(int)
        plan = make(TABLES[kind], ts)
        ab = TABLES[kind].alpha_bars[plan.timesteps]
        a, b = denoiser(plan, kind)
        one_up = np.sqrt(ab) * MU + np.sqrt(ab * VAR + 1 - ab)
        x, x0_last = one_up[0], 0.0
        for i in range(len(ts) - 1):
            x0 = a[i] * x + b[i]
            x = plan.coef_x0[i] * x0 + plan.coef_xt[i] * x + plan.coef_last[i] * x0_last
            x0_last = x0
        return abs(x - one_up[-1])

    rates = [np.log2(error(n) / error(2 * n)) for n in (50, 100)]
    assert min(rates) > order - 0.25
    assert order > 1 or max(rates) < 1.25


def test_dpmpp_is_the_published_update():
    # Lu et al. (2022), Algorithm 2, written with their alpha, sigma and lambda.
    ts, tables = timesteps(1000, 12), TABLES["cosine"]
    plan, rng = dpmpp_plan(tables, ts), np.random.default_rng(0)
    alpha_bars = tables.alpha_bars[plan.timesteps]
    alpha, sigma = np.sqrt(alpha_bars), np.sqrt(1 - alpha_bars)
    lam = np.log(alpha / sigma)
    for i in range(1, 11):
        x, x0, x0_last = rng.normal(size=3)
        h, r = lam[i + 1] - lam[i], (lam[i] - lam[i - 1]) / (lam[i + 1] - lam[i])
        d = (1 + 1 / (2 * r)) * x0 - x0_last / (2 * r)
        theirs = sigma[i + 1] / sigma[i] * x - alpha[i + 1] * np.expm1(-h) * d
        ours = plan.coef_x0[i] * x0 + plan.coef_xt[i] * x + plan.coef_last[i] * x0_last
        assert_allclose(ours, theirs, rtol=1e-9)  # float64
        # Its SDE form, with 1 - exp(-2h) in both places.
        noisy = dpmpp_plan(tables, ts, 1.0)
        theirs = sigma[i + 1] / sigma[i] * np.exp(-h) * x - alpha[i + 1] * np.expm1(-2 * h) * d
        ours = noisy.coef_x0[i] * x0 + noisy.coef_xt[i] * x + noisy.coef_last[i] * x0_last
        assert_allclose(ours, theirs, rtol=1e-7)
        assert_allclose(noisy.sigma[i], sigma[i + 1] * np.sqrt(-np.expm1(-2 * h)), rtol=1e-7)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_the_first_and_last_steps_of_dpmpp_are_ddims(eta):
    ts = timesteps(1000, 10)
    dpmpp, ddim = (make(TABLES["linear"], ts, eta) for make in (dpmpp_plan, ddim_plan))
    for column in ("coef_x0", "coef_xt", "coef_last", "sigma"):
        ends = [getattr(plan, column)[[0, -1]] for plan in (dpmpp, ddim)]
        assert_array_equal(*ends)
    assert np.all(dpmpp.coef_last[1:-1] != 0)
    assert not np.signbit(dpmpp.coef_last[[0, -1]]).any()


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [10, 20, 50])
def test_dpmpp_is_nearer_to_the_data_than_ddim_in_as_many_steps(kind, steps, eta):
    ts = timesteps(1000, steps)
    plans = [make(TABLES[kind], ts, eta) for make in (dpmpp_plan, ddim_plan)]
    ours, ddims = (abs(output_moments(plan, kind)[1] - VAR) for plan in plans)
    assert ours < ddims


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("steps", [1, 2, 10, 999])
def test_the_last_step_lands_on_x0_hat_without_noise(name, spacing, steps):
    plan = EVERY[name](TABLES["linear"], timesteps(1000, steps, spacing))
    assert plan.num_steps == steps
    assert np.all(np.diff(plan.timesteps) < 0)
    assert plan.timesteps.dtype == np.int32
    assert plan.sigma[-1] == 0
    assert np.all(plan.sigma >= 0)
    # float64
    assert_allclose([plan.coef_x0[-1], plan.coef_xt[-1]], [1, 0], rtol=1e-9, atol=1e-12)
    assert plan.coef_last[0] == plan.coef_last[-1] == 0
    if not name.endswith("eta0"):
        assert np.all(plan.sigma[:-1] > 0)


def test_ddim_without_eta_never_asks_for_noise():
    assert not ddim_plan(TABLES["linear"], timesteps(1000, 50)).sigma.any()


@pytest.mark.parametrize("eta", [-0.1, 1.1, float("nan")])
def test_an_eta_out_of_range_is_refused(eta):
    for make in (ddim_plan, dpmpp_plan):
        with pytest.raises(KgenError, match="Received: eta="):
            make(TABLES["linear"], timesteps(1000, 10), eta)


def test_an_unknown_variance_is_refused():
    with pytest.raises(KgenError, match="Did you mean 'fixed_small'"):
        ddpm_plan(TABLES["linear"], timesteps(1000, 10), "fixed-small")


def test_timesteps_that_descend_are_refused():
    for make in EVERY.values():
        with pytest.raises(ValueError, match="ascend"):
            make(TABLES["linear"], timesteps(1000, 10)[::-1])


# From here on with tensors, on each backend.


@pytest.fixture(scope="module")
def schedules():
    return {kind: NoiseSchedule(kind=kind) for kind in TABLES}


def best_model(schedule: NoiseSchedule, prediction_kind: str = "eps"):
    """Return predict_x0 for a network that predicts as well as can be done on N(MU, VAR)."""

    def predict_x0(xt, t):
        ab = ops.reshape(ops.take(schedule.alpha_bars, t, axis=0), (-1, 1, 1, 1))
        noise = 1.0 - ab
        eps = ops.sqrt(noise) * (xt - ops.sqrt(ab) * MU) / (ab * VAR + noise)
        x0 = schedule.x0_from_eps(eps, xt, t)
        kinds = {"eps": eps, "x0": x0, "v": schedule.v_from_x0_eps(x0, eps, t)}
        return schedule.x0_eps(prediction_kind, kinds[prediction_kind], xt, t)[0]

    return predict_x0


def philox(step: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=step)).standard_normal(shape, dtype="float32")


def no_noise(step: int, shape: tuple[int, ...]) -> np.ndarray:
    raise AssertionError(f"noise was asked for in step {step}")


@pytest.mark.backend
@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(
    ("kind", "steps", "spacing"),
    [
        *itertools.product(["linear"], [10, 50], ["leading", "trailing"]),
        ("linear", 250, "trailing"),
        ("cosine", 50, "trailing"),
    ],
)
def test_chains_of_one_pixel_pictures_have_the_golden_moments(
    schedules, name, kind, steps, spacing
):
    n = 20_000
    plan = PLANS[name](TABLES[kind], timesteps(1000, steps, spacing))
    x_T = philox(10_000, (n, 1, 1, 1))
    x0 = sample(best_model(schedules[kind]), x_T, plan, philox, clip=False)
    x0 = ops.convert_to_numpy(x0).astype("float64")
    golden = GAUSSIAN["sampler_output_moments"][f"{kind}_T1000/S{steps}/{spacing}"][name]
    # four standard errors of a normal sample's mean and variance
    assert abs(x0.mean() - golden["mean"]) < 4 * np.sqrt(golden["var"] / n)
    assert abs(x0.var() - golden["var"]) < 4 * golden["var"] * np.sqrt(2 / n)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("prediction_kind", "steps"), [*itertools.product(["eps", "x0", "v"], [10, 50]), ("eps", 1000)]
)
def test_ddim_maps_noise_to_the_golden_pictures(schedules, prediction_kind, steps):
    golden = GAUSSIAN["ddim_eta0_map_linear_T1000"]
    starts = np.float32([-1.5, 0.0, 1.3])
    plan = ddim_plan(TABLES["linear"], timesteps(1000, steps, "leading"))
    model = best_model(schedules["linear"], prediction_kind)
    x0 = sample(model, starts.reshape(-1, 1, 1, 1), plan, no_noise, clip=False)
    expected = [golden[f"S{steps}/xT={x:g}"] for x in starts]
    # float32 over 1000 steps whose rounding errors partly cancel: 1000 * 2**-24 = 6e-5
    assert_allclose(ops.convert_to_numpy(x0).ravel(), expected, rtol=0, atol=6e-5)


@pytest.mark.backend
def test_clipping_bounds_x0_hat_at_every_step():
    seen = []
    plan = ddpm_plan(TABLES["linear"], timesteps(1000, 5))

    def too_bright(xt, t):
        return xt * 0.0 + 3.0

    def look(i, t, xt, x0_hat):
        seen.append(ops.convert_to_numpy(x0_hat))

    x_T = philox(0, (2, 3, 3, 1))
    x0 = sample(too_bright, x_T, plan, philox, clip=True, on_step=look)
    assert np.all(np.array(seen) == 1.0)
    assert np.all(ops.convert_to_numpy(x0) == 1.0)
    unclipped = sample(too_bright, x_T, plan, philox, clip=False)
    assert_allclose(ops.convert_to_numpy(unclipped), 3.0, rtol=1e-6)  # float32


@pytest.mark.backend
def test_on_step_sees_the_whole_trajectory_as_backend_tensors(schedules):
    plan = ddpm_plan(TABLES["linear"], timesteps(1000, 6))
    x_T = philox(0, (2, 1, 1, 1))
    seen, asked = [], []

    def noise(i, shape):
        asked.append((i, shape))
        return philox(i, shape)

    def predict_x0(xt, t):
        assert ops.is_tensor(xt)
        assert ops.is_tensor(t)
        assert tuple(t.shape) == (2,)
        assert keras.backend.standardize_dtype(t.dtype) == "int32"
        return best_model(schedules["linear"])(xt, t)

    def look(i, t, xt, x0_hat):
        assert ops.is_tensor(xt)
        seen.append((i, t, ops.convert_to_numpy(xt), ops.convert_to_numpy(x0_hat)))

    x0 = sample(predict_x0, x_T, plan, noise, clip=False, on_step=look)
    assert [i for i, *_ in seen] == list(range(6))
    assert [t for _, t, *_ in seen] == [999, 832, 666, 499, 332, 166]
    assert asked == [(i, (2, 1, 1, 1)) for i in range(5)]
    assert_array_equal(seen[0][2], x_T)
    for i, t, xt, x0_hat in seen:
        after = seen[i + 1][2] if i < 5 else ops.convert_to_numpy(x0)
        z = philox(i, xt.shape) if i < 5 else 0.0
        expected = plan.coef_x0[i] * x0_hat + plan.coef_xt[i] * xt + plan.sigma[i] * z
        assert_allclose(after, expected, rtol=1e-6, atol=1e-6, err_msg=str(t))  # float32


@pytest.mark.backend
def test_a_networks_weights_do_not_follow_the_samples():
    # PyTorch would otherwise keep the activations of every step until the pictures are dropped.
    network = keras.layers.Dense(3)
    network.build((None, 3))
    plan = ddim_plan(TABLES["linear"], timesteps(1000, 3))
    x0 = sample(lambda xt, t: network(xt), philox(0, (2, 3)), plan, no_noise)
    assert not getattr(x0, "requires_grad", False)
