import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose
from scipy import integrate, stats

from kgen import losses
from tests.golden.values import GOLDEN

pytestmark = pytest.mark.backend

CASES = GOLDEN["gan"]["cases"]
EQUILIBRIUM = GOLDEN["gan"]["equilibrium p=q"]
# Equally likely points of N(0, 1): their mean is an expectation, to about 1 / their number.
QUANTILES = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)


def optimal_logits(theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Write D*'s logits on data N(0, 1) and on fakes N(theta, 1): log p(x) - log q(x)."""
    real, fake = QUANTILES, QUANTILES + theta
    return tuple((theta * theta / 2 - theta * x).astype("float32") for x in (real, fake))


def value(loss) -> float:
    assert tuple(loss.shape) == ()
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    return float(ops.convert_to_numpy(loss))


# The tolerance below: quantiles cut the tails (1e-5), float32 means of 200,000 numbers (1e-5).


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"theta={case['theta']}")
def test_at_the_optimum_the_discriminator_loses_log_4_minus_2_js(case):
    loss = value(losses.minimax_discriminator(*optimal_logits(case["theta"])))
    assert_allclose(loss, case["d_loss_sum_bce"], rtol=2e-4, atol=1e-5)
    assert_allclose(loss, 2 * case["d_loss_mean_bce"], rtol=2e-4, atol=1e-5)
    assert_allclose(loss, np.log(4) - 2 * case["JS"], rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"theta={case['theta']}")
def test_against_the_optimum_the_generators_losses_are_golden(case):
    _, fake_logits = optimal_logits(case["theta"])
    saturating = value(losses.GENERATOR_LOSSES["minimax"](fake_logits))
    non_saturating = value(losses.GENERATOR_LOSSES["non_saturating"](fake_logits))
    assert_allclose(saturating, case["g_loss_saturating"], rtol=2e-4, atol=1e-5)
    assert_allclose(non_saturating, case["g_loss_nonsaturating"], rtol=2e-4, atol=1e-5)


def test_no_other_discriminator_beats_the_optimum():
    real, fake = optimal_logits(1.0)
    best = value(losses.minimax_discriminator(real, fake))
    for scale, shift in ((0.9, 0.0), (1.1, 0.0), (1.0, 0.1), (1.0, -0.1)):
        other = losses.minimax_discriminator(scale * real + shift, scale * fake + shift)
        assert value(other) > best


def test_a_discriminator_that_cannot_tell_has_the_equilibrium_losses():
    zeros = np.zeros((8, 1), "float32")
    discriminator = value(losses.minimax_discriminator(zeros, zeros))
    assert_allclose(discriminator, EQUILIBRIUM["d_loss_sum_bce"], rtol=1e-6)  # float32
    saturating = value(losses.minimax_generator(zeros))
    assert_allclose(saturating, EQUILIBRIUM["g_loss_saturating"], rtol=1e-6)
    non_saturating = value(losses.non_saturating_generator(zeros))
    assert_allclose(non_saturating, EQUILIBRIUM["g_loss_nonsaturating"], rtol=1e-6)


def test_only_the_saturating_loss_goes_flat_where_fakes_are_rejected():
    def slope(loss) -> float:
        low, high = np.float32([-10.5]), np.float32([-9.5])
        return value(loss(high)) - value(loss(low))

    # derivatives by the logit: -sigmoid(-10) = -4.5e-5 and -sigmoid(10) = -1
    assert abs(slope(losses.minimax_generator)) < 1e-4
    assert_allclose(slope(losses.non_saturating_generator), -1, rtol=1e-3)


def pair_loss(theta: float, scale: float = 1.0) -> float:
    """Ask kgen for the loss of pairs of N(0, 1) and N(theta, 1), by `scale` times the best logits.

    l*(x) - l*(y) = theta (y - x) is N(theta^2, 2 theta^2).
    """
    ahead = scale * (theta**2 + np.sqrt(2) * theta * QUANTILES).astype("float32")
    return value(losses.relativistic_discriminator(ahead, np.zeros_like(ahead)))


@pytest.mark.parametrize("theta", [0.5, 1.0, 2.0])
def test_at_the_optimum_a_relativistic_discriminator_loses_log_2_minus_js_of_the_pair(theta):
    # The order of a pair is one bit: p(x) q(y) and q(x) p(y), equally likely.
    def js(x, y):
        right, wrong = (stats.norm.pdf(a) * stats.norm.pdf(b, theta) for a, b in ((x, y), (y, x)))
        return right * np.log(2 * right / (right + wrong))

    expected = np.log(2) - integrate.dblquad(js, -9, 9 + theta, -9, 9 + theta)[0]
    assert_allclose(pair_loss(theta), expected, rtol=2e-4)
    real, fake = optimal_logits(theta)
    pairs = np.random.default_rng(0).permutation(len(fake))
    loss = value(losses.relativistic_discriminator(real, fake[pairs]))
    # 200,000 pairs, whose losses have a standard deviation of 1 at most
    assert_allclose(loss, expected, atol=0.01)


def test_no_discriminator_of_pairs_that_is_more_or_less_sure_beats_the_optimum():
    best = pair_loss(1.0)
    for scale in (0.9, 0.95, 1.05, 1.1):
        assert pair_loss(1.0, scale) > best


def test_the_relativistic_losses_are_one_game_that_knows_no_constant():
    real, fake = optimal_logits(1.0)
    discriminator = value(losses.relativistic_discriminator(real, fake))
    assert_allclose(value(losses.relativistic_discriminator(real + 3, fake + 3)), discriminator)
    assert_allclose(value(losses.relativistic_generator(fake, real)), discriminator)
    zeros = np.zeros((8, 1), "float32")
    assert_allclose(value(losses.relativistic_discriminator(zeros, zeros)), np.log(2), rtol=1e-6)
    # each fake is compared with its own real picture
    real, fake = np.float32([[1], [5]]), np.float32([[0], [6]])
    expected = (np.log1p(np.exp(-1)) + np.log1p(np.exp(1))) / 2
    assert_allclose(value(losses.relativistic_discriminator(real, fake)), expected, rtol=1e-6)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_certainty_overflows_nothing_even_in_half_precision(logit):
    logits = ops.convert_to_tensor(np.full((4, 1), logit), dtype="float16")
    assert np.isfinite(value(losses.minimax_discriminator(logits, logits)))
    for loss in (losses.relativistic_discriminator, losses.relativistic_generator):
        assert np.isfinite(value(loss(logits, -logits)))  # a difference of 2e4 fits in float16
        assert np.isfinite(value(loss(5 * logits, -5 * logits)))  # 1e5 does not
    for loss in losses.GENERATOR_LOSSES.values():
        assert np.isfinite(value(loss(logits)))


def directions(dim: int) -> np.ndarray:
    """Rows whose mean outer product is exactly I, as that of u ~ N(0, I) is on average."""
    return np.sqrt(dim) * np.eye(dim)


def test_the_gradient_penalty_of_a_linear_discriminator_is_golden_r1_at_any_distance():
    golden = GOLDEN["gan"]["penalties"]
    w = np.array(golden["linear_critic_w"])
    x = np.random.default_rng(0).normal(size=(len(w), len(w)))
    for distance in (0.1, 2.0):
        moved = x + distance * directions(len(w))
        penalty = losses.gradient_penalty(np.float32(x @ w), np.float32(moved @ w), distance)
        # float32 logits of size 4, differences of size 0.1: 4 * 2**-24 / 0.1 = 2e-6, twice squared
        assert_allclose(10 * value(penalty), golden["r1_gamma10"], rtol=1e-5)


def test_the_gradient_penalty_of_a_curved_discriminator_tends_to_r1():
    # l(x) = |x|^2 / 2 has the gradient x. Along u of squared length n, ((l(x + s u) - l(x)) / s)^2
    # is (x.u + s n / 2)^2: the mean over u and -u has no cross term, so n^2 s^2 / 4 is all that is
    # left besides (x.u)^2, whose mean is |x|^2.
    x, n = np.array([0.5, -1.5, 1.0]), 3
    u = np.concatenate([directions(n), -directions(n)])
    logits = np.full(len(u), x @ x / 2)
    for s in (1.0, 0.1):
        moved = ((x + s * u) ** 2).sum(-1) / 2
        penalty = losses.gradient_penalty(np.float32(logits), np.float32(moved), s)
        # float32: as above
        assert_allclose(value(penalty), (x @ x + n * n * s * s / 4) / 2, rtol=1e-5)


def test_a_flat_discriminator_pays_no_gradient_penalty_even_in_half_precision():
    logits = ops.convert_to_tensor(np.full((4, 1), 1e4), dtype="float16")
    assert value(losses.gradient_penalty(logits, logits, 0.1)) == 0.0


def test_the_kl_is_golden_summed_over_latents_and_per_latent():
    golden = GOLDEN["vae"]["formulas"]["kl_diag_gaussian_to_std"]
    mean, logvar = np.float32(golden["mean"]), np.float32(golden["logvar"])
    total = ops.convert_to_numpy(losses.kl_standard_normal(mean[None], logvar[None]))
    assert_allclose(total, [golden["sum"]], rtol=1e-6)  # float32
    each = ops.convert_to_numpy(losses.kl_standard_normal(mean[:, None], logvar[:, None]))
    assert_allclose(each, golden["per_dim"], rtol=2e-6)


def test_the_kl_is_zero_at_the_prior_and_positive_elsewhere():
    rng = np.random.default_rng(0)
    mean, logvar = rng.normal(size=(2, 1000, 1)).astype("float32")
    assert np.all(ops.convert_to_numpy(losses.kl_standard_normal(mean, logvar)) > 0)
    zeros = np.zeros((1, 20), "float32")
    assert ops.convert_to_numpy(losses.kl_standard_normal(zeros, zeros)).item() == 0.0


def test_the_kl_keeps_its_digits_near_the_prior():
    logvar = np.float32([[1e-2], [-1e-2]])
    kl = ops.convert_to_numpy(losses.kl_standard_normal(np.zeros_like(logvar), logvar))
    exact = 0.5 * (np.expm1(logvar.astype("float64")) - logvar)[:, 0]
    # expm1 errs by 1e-2 * 2**-24 = 6e-10 out of 2.5e-5; exp(...) - 1 would err by 2.4e-3 of it
    assert_allclose(kl, exact, rtol=1e-4)


def test_half_precision_encoders_lose_nothing_in_the_kl():
    mean, logvar = (
        ops.cast(np.float32([[0.3] * 400]), "bfloat16"),
        ops.cast(np.float32([[-2.0] * 400]), "bfloat16"),
    )
    kl = losses.kl_standard_normal(mean, logvar)
    assert keras.backend.standardize_dtype(kl.dtype) == "float32"
    m = float(ops.convert_to_numpy(ops.cast(mean, "float32"))[0, 0])
    assert_allclose(
        ops.convert_to_numpy(kl), [200 * (np.exp(-2) + m * m - 1 + 2)], rtol=1e-5
    )  # float32 sum of 400
