import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from kgen.errors import KgenError
from kgen.layers import NoiseSchedule
from kgen.schedule import ScheduleTables, betas
from tests.core.layers.harness import check_layer
from tests.golden.values import GOLDEN

pytestmark = pytest.mark.backend

GAUSSIAN = GOLDEN["gaussian_diffusion"]
RNG = np.random.default_rng(0)
T = np.array([0, 1, 500, 999], "int32")
X0, EPS = RNG.normal(size=(2, 4, 5, 5, 3)).astype("float32")
KINDS = ("eps", "x0", "v")


def numpy(x) -> np.ndarray:
    return ops.convert_to_numpy(x)


@pytest.fixture(scope="module")
def linear():
    return NoiseSchedule()


@pytest.fixture(scope="module")
def cosine():
    return NoiseSchedule(kind="cosine")


def test_keeps_the_layer_contract():
    config = {"num_timesteps": 100, "kind": "linear", "beta_start": 1e-3, "beta_end": 0.2}
    t = np.array([0, 1, 50, 99], "int32")
    check_layer(NoiseSchedule, config, [X0, t, EPS], float32_output=True)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_weights_are_the_float64_tables_rounded_once(kind):
    layer, tables = NoiseSchedule(kind=kind), ScheduleTables.from_betas(betas(kind, 1000))
    expected = {
        "betas": tables.betas,
        "alphas": tables.alphas,
        "alpha_bars": tables.alpha_bars,
        "sqrt_alpha_bars": np.sqrt(tables.alpha_bars),
        "sqrt_one_minus_alpha_bars": np.sqrt(1 - tables.alpha_bars),
        "posterior_variance": tables.posterior_variance,
        "posterior_mean_coef_x0": tables.posterior_mean_coef_x0,
        "posterior_mean_coef_xt": tables.posterior_mean_coef_xt,
        "snr": tables.snr,
    }
    assert {w.name for w in layer.weights} == set(expected)
    assert layer.trainable_weights == []
    for weight in layer.weights:
        assert weight.dtype == "float32"
        assert_array_equal(numpy(weight.value), expected[weight.name].astype("float32"))


def test_q_sample_is_the_closed_form_at_any_rank(linear):
    a, s = np.sqrt(linear.tables.alpha_bars), np.sqrt(1 - linear.tables.alpha_bars)
    for shape in ((4,), (4, 7), (4, 5, 3), (4, 5, 5, 3), (4, 2, 2, 2, 2)):
        x0, eps = RNG.normal(size=(2, *shape)).astype("float32")
        column = (4,) + (1,) * (len(shape) - 1)
        expected = a[T].reshape(column) * x0 + s[T].reshape(column) * eps
        xt = linear.q_sample(x0, T, eps)
        # float32: coefficient, product and sum
        assert_allclose(numpy(xt), expected, rtol=1e-6, atol=1e-6)


def test_single_steps_compose_to_the_closed_form(linear):
    ones, zeros = np.ones((1, 1), "float32"), np.zeros((1, 1), "float32")
    scale, variance = 1.0, 0.0
    for t in range(300):
        index = np.array([t], "int32")
        alpha_root = numpy(linear.q_step(ones, index, zeros)).item()
        beta_root = numpy(linear.q_step(zeros, index, ones)).item()
        scale, variance = scale * alpha_root, variance * alpha_root**2 + beta_root**2
    # 300 products of float32 coefficients: 300 * 2**-24
    assert_allclose(scale, np.sqrt(linear.tables.alpha_bars[299]), rtol=2e-5)
    assert_allclose(variance, 1 - linear.tables.alpha_bars[299], rtol=2e-5)


@pytest.mark.parametrize("name", ["linear_T1000", "cosine_T1000"])
def test_the_posterior_has_the_golden_mean_and_variance(name):
    golden = GOLDEN["schedules"][name]
    layer = NoiseSchedule(kind=name.split("_")[0])
    t = np.array(golden["t"], "int32")
    x0, xt = RNG.normal(size=(2, len(t), 2, 2, 1)).astype("float32")
    mu_tilde, beta_tilde = layer.posterior(x0, xt, t)
    from_x0, from_xt = (
        np.reshape(golden[f"posterior_mean_coef_{x}"], (-1, 1, 1, 1)) for x in ("x0", "xt")
    )
    # float32: coefficients, products and a sum
    assert_allclose(numpy(mu_tilde), from_x0 * x0 + from_xt * xt, rtol=1e-6, atol=1e-6)
    assert tuple(beta_tilde.shape) == (len(t), 1, 1, 1)
    assert_allclose(numpy(beta_tilde).ravel(), golden["posterior_variance"], rtol=1e-6)


def test_the_signal_to_noise_ratio_is_golden_even_where_there_is_little_noise(linear):
    golden = GOLDEN["schedules"]["linear_T1000"]
    snr = numpy(linear.snr(np.array(golden["t"], "int32")))
    # one rounding to float32; computed from a float32 alpha_bar it would be wrong by 6e-4 at t = 0
    assert_allclose(snr, golden["snr"], rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_each_prediction_kind_gives_the_golden_x0_and_eps(linear, kind):
    points = GAUSSIAN["optimal_predictor_linear_T1000"]
    t = np.array([p["t"] for p in points], "int32")
    column = {k: np.array([[p[k]] for p in points]) for k in ("x", "eps", "x0", "v")}
    prediction, xt = column[kind].astype("float32"), column["x"].astype("float32")
    x0_hat, eps_hat = (numpy(x) for x in linear.x0_eps(kind, prediction, xt, t))
    a, s = np.sqrt(linear.tables.alpha_bars[t]), np.sqrt(1 - linear.tables.alpha_bars[t])
    # float32 rounding of xt and of the prediction (about 2, a few ulps of 1.2e-7), divided by
    # sqrt(ab) to get x0 from eps and by sqrt(1 - ab) to get eps from x0
    rounding = 6e-7
    x0_error = rounding / (a if kind == "eps" else np.ones_like(a))
    eps_error = rounding / (s if kind == "x0" else np.ones_like(s))
    assert np.all(np.abs(x0_hat - column["x0"])[:, 0] <= x0_error)
    assert np.all(np.abs(eps_hat - column["eps"])[:, 0] <= eps_error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_what_is_trained_on_is_what_is_read_back(kind, name, request):
    schedule = request.getfixturevalue(name)
    t = np.array([0, 1, 500, 900], "int32")
    xt = schedule.q_sample(X0, t, EPS)
    prediction = schedule.target(kind, X0, EPS, t)
    x0_hat, eps_hat = schedule.x0_eps(kind, prediction, xt, t)
    # float32 rounding times 1/sqrt(ab) <= 55 at t = 900 (linear), 1/sqrt(1 - ab) <= 156 at t = 0
    assert_allclose(numpy(x0_hat), X0, rtol=0, atol=3e-5)
    assert_allclose(numpy(eps_hat), EPS, rtol=0, atol=8e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_x0_hat_and_eps_hat_always_make_xt(linear, kind):
    xt, anything = X0, EPS
    x0_hat, eps_hat = linear.x0_eps(kind, anything, xt, T)
    again = linear.q_sample(x0_hat, T, eps_hat)
    # x0_hat may be 157 times larger than xt: its rounding is scaled back by sqrt(ab)
    assert_allclose(numpy(again), xt, rtol=0, atol=2e-6)


@pytest.mark.parametrize("t", [10, 100, 500])
def test_the_best_prediction_of_gaussian_noise_has_the_golden_error(linear, t):
    n, mu, var = 100_000, GAUSSIAN["data"]["mu"], GAUSSIAN["data"]["var"]
    noise = np.random.default_rng(t).standard_normal((2, n, 1)).astype("float32")
    x0, eps = mu + np.sqrt(var) * noise[0], noise[1]
    ts, ab = np.full(n, t, "int32"), linear.tables.alpha_bars[t]
    xt = numpy(linear.q_sample(x0, ts, eps))
    eps_hat = np.sqrt(1 - ab) * (xt - np.sqrt(ab) * mu) / (ab * var + 1 - ab)
    errors = np.square(numpy(linear.target("eps", x0, eps, ts)) - eps_hat)
    golden = GAUSSIAN["min_eps_mse_per_t_linear_T1000"][str(t)]
    assert abs(errors.mean() - golden) < 4 * errors.std() / np.sqrt(n)  # four standard errors


def test_results_are_float32_whatever_the_policy_and_the_inputs(linear):
    half = NoiseSchedule(dtype="mixed_bfloat16")
    x0, eps = (ops.convert_to_tensor(x, dtype="bfloat16") for x in (X0, EPS))
    exact = [ops.cast(x, "float32") for x in (x0, eps)]
    for ours, theirs in (
        (half.q_sample(x0, T, eps), linear.q_sample(exact[0], T, exact[1])),
        (half.q_step(x0, T, eps), linear.q_step(exact[0], T, exact[1])),
        (half.posterior(x0, eps, T)[0], linear.posterior(*exact, T)[0]),
        *zip(half.x0_eps("v", x0, eps, T), linear.x0_eps("v", *exact, T), strict=True),
        (half.target("v", x0, eps, T), linear.target("v", *exact, T)),
    ):
        assert keras.backend.standardize_dtype(ours.dtype) == "float32"
        assert_array_equal(numpy(ours), numpy(theirs))


def test_a_mixed_precision_model_does_not_round_the_tables(linear):
    class Noiser(keras.Model):
        def __init__(self) -> None:
            super().__init__(dtype="mixed_bfloat16", autocast=False)
            self.schedule = NoiseSchedule()

        def call(self, x0):
            return self.schedule.q_sample(x0, T, EPS)

    assert_array_equal(numpy(Noiser()(X0)), numpy(linear.q_sample(X0, T, EPS)))


# Keras warns about the layers' container before it raises what the layer raised.
@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
def test_weights_of_another_schedule_are_refused(tmp_path):
    def model(**config):
        inputs = [keras.Input((2,)), keras.Input((), dtype="int32"), keras.Input((2,))]
        return keras.Model(inputs, NoiseSchedule(**config)(*inputs))

    path = tmp_path / "linear.weights.h5"
    model().save_weights(path)
    model().load_weights(path)
    for other in ({"kind": "cosine"}, {"beta_end": 0.03}, {"num_timesteps": 500}):
        with pytest.raises(ValueError, match="another noise schedule"):
            model(**other).load_weights(path)


def test_an_unknown_prediction_kind_is_refused(linear):
    with pytest.raises(KgenError, match="Known: eps, x0, v"):
        linear.target("epsilon", X0, EPS, T)
    with pytest.raises(KgenError, match="Known: eps, x0, v"):
        linear.x0_eps("score", X0, EPS, T)


def test_an_unknown_schedule_is_refused():
    with pytest.raises(KgenError, match="Known: cosine, linear"):
        NoiseSchedule(kind="quadratic")
