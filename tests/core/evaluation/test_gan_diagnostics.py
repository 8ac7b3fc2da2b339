"""The numbers of GANs against players that are known: two normal distributions, and walks."""

import itertools

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose
from scipy import integrate, optimize, stats

from kgen.evaluation.diagnostics import gan
from kgen.models.gan import GAN
from kgen.networks import call
from tests.golden.values import GOLDEN

pytestmark = pytest.mark.backend

SHAPE, N = (4, 4, 1), 3000
THETA = 1.0
"""Real pictures have brightness N(0, 1), generated ones N(THETA, 1)."""


def pictures(brightness):
    """Make pictures of one grey level: 128 + 20 brightness."""
    levels = np.clip(np.round(128 + 20 * np.asarray(brightness)), 0, 255).astype(np.uint8)
    return np.broadcast_to(levels.reshape(-1, 1, 1, 1), (levels.size, *SHAPE)).copy()


class Players(GAN):
    """A generator of N(THETA, 1), and the best discriminator, times how sure it is of itself."""

    sure, moved, theta = 1.0, 0.0, THETA

    def decode(self, z, progress=None):
        if progress:
            progress(len(z), len(z))
        return pictures(self.theta + z[:, 0])

    def discriminate(self, images):
        x = (images.astype(np.float64).mean(axis=(1, 2, 3)) - 128) / 20
        return self.sure * (self.theta**2 / 2 - self.theta * x) + self.moved


def players(latent_dim=1, kind=Players, **settings):
    return kind({"network": "mlp", "latent_dim": latent_dim, **settings}, SHAPE)


def real(n=N, seed=0):
    return pictures(np.random.Generator(np.random.Philox(seed)).standard_normal(n))


def test_the_best_discriminator_is_right_as_often_as_theory_says():
    found = gan.examine(players(), real(), real(seed=1)).values
    cases = {case["theta"]: case for case in GOLDEN["gan"]["cases"]}
    expected = cases[THETA]["optimal_D_accuracy"]
    for name in ("d_accuracy_real", "d_accuracy_fake"):
        value = found[name]
        assert_allclose(value.sd, np.sqrt(expected * (1 - expected) / N), rtol=0.05)
        # rounding to levels of 0.05 moves the border by half of one at most, phi(1/2) / 40 = 0.009
        assert_allclose(value.value, expected, atol=4 * value.sd + 0.009)


def test_the_best_discriminator_is_calibrated():
    value = gan.examine(players(), real(), real(seed=1)).values["d_calibration_error"]
    assert 0 < value.bias < 0.02
    assert_allclose(value.value, value.bias, atol=4 * value.sd)


def test_a_discriminator_too_sure_of_itself_is_not_calibrated():
    model = players()
    model.sure = 4.0
    found = gan.examine(model, real(), real(seed=1))
    value = found.values["d_calibration_error"]
    # mean over both kinds of p and of the truth, in each bin of p, by quadrature
    borders = np.concatenate([[-40], np.log(np.arange(1, 10) / np.arange(9, 0, -1)), [40]])
    edges = (THETA**2 / 2 - borders / model.sure) / THETA  # of brightness, falling
    expected = 0.0
    for high, low in itertools.pairwise(edges):
        low, high = max(low, -12), min(high, 12)
        of_real = np.diff(stats.norm.cdf([low, high])).item()
        said = integrate.quad(
            lambda x: (
                (stats.norm.pdf(x) + stats.norm.pdf(x, THETA))
                / (1 + np.exp(-model.sure * (THETA**2 / 2 - THETA * x)))
            ),
            low,
            high,
        )[0]
        expected += abs(said - of_real) / 2
    assert expected > 0.1
    # brightness is rounded to 0.05, the logit so to 0.2: a twentieth of a probability at most
    assert_allclose(value.value, expected, atol=4 * value.sd + 0.01)
    assert value.value > 5 * value.bias
    series = found.series["reliability"]
    assert len(series.x) == 10
    assert series.lines["calibrated"] == series.x
    low, high = series.lines["discriminator"][0], series.lines["discriminator"][-1]
    assert low > series.x[0]
    assert high < series.x[-1]


def test_a_discriminator_of_pairs_is_judged_but_for_its_constant():
    plain, pairs = players(), players(loss="relativistic")
    expected = gan.examine(plain, real(), real(seed=1)).values
    pairs.moved = plain.moved = 5.0
    found = gan.examine(pairs, real(), real(seed=1)).values
    for name, value in found.items():
        # The best constant of 2 x 3,000 pictures is not quite that of all.
        assert_allclose(value.value, expected[name].value, atol=4 * value.sd, err_msg=name)
    assert gan.examine(plain, real(), real(seed=1)).values["d_accuracy_fake"].value < 0.1


def test_the_constant_is_that_of_a_logistic_regression():
    rng = np.random.Generator(np.random.Philox(4))
    a, b = rng.normal(40, 3, 500), rng.normal(38, 2, 500)
    c = gan.intercept(a, b)
    fit = optimize.minimize_scalar(
        lambda c: np.logaddexp(0, c - a).sum() + np.logaddexp(0, b - c).sum(), bounds=(30, 50)
    )
    assert_allclose(c, fit.x, atol=1e-4)  # of the search
    assert_allclose(gan.intercept(a - 1e4, b - 1e4), c - 1e4, rtol=1e-12)


def test_the_calibration_error_is_that_of_the_formula():
    rng = np.random.Generator(np.random.Philox(2))
    p = np.concatenate([rng.random(200), [0.0, 1.0, 0.5, 0.1]])
    is_real = rng.random(204) < 0.4
    expected = 0.0
    for m in range(10):
        inside = [i for i in range(204) if m == min(int(p[i] * 10), 9)]
        if inside:
            gap = np.mean(is_real[inside]) - np.mean(p[inside])
            expected += len(inside) / 204 * abs(gap)
    assert_allclose(gan.calibration_error(p, is_real), expected, rtol=1e-12)
    sure = np.repeat([0.0, 1.0], 10)
    assert gan.calibration_error(sure, sure > 0) == 0
    assert gan.calibration_error(np.ones(20), sure > 0) == 0.5


def test_a_discriminator_that_is_always_right_is_told():
    model = players()
    model.theta = 6.0  # Phi(3) = 0.9987
    found = gan.examine(model, real(), real(seed=1))
    assert [s for s in found.warnings if "always right" in s]
    assert found.values["d_accuracy_fake"].value > 0.99


def test_a_discriminator_at_chance_is_told_whichever_way_it_leans():
    for moved in (0.0, 50.0, -50.0):
        model = players()
        model.sure, model.moved = 0.0, moved
        found = gan.examine(model, real(), real(seed=1))
        assert [s for s in found.warnings if "at chance" in s]
    assert not gan.examine(players(), real(), real(seed=1)).warnings


def test_a_discriminator_that_knows_its_training_pictures_is_told():
    darker = pictures(np.random.Generator(np.random.Philox(3)).standard_normal(N) - 1)
    found = gan.examine(players(), real(), darker)
    # Phi(3/2) = 93 % of the darker ones are taken for real, and 69 % of the others
    assert [s for s in found.warnings if "93 % of its training" in s and "69 % of unseen" in s]


class Steps(Players):
    """A generator that knows two pictures."""

    def decode(self, z, progress=None):
        return pictures(np.where(z[:, 0] > 0, 5.0, -5.0))


class Even(Players):
    """A generator whose every latent is a pixel."""

    def decode(self, z, progress=None):
        levels = np.clip(np.round(128 + 30 * z), 0, 255).astype(np.uint8)
        return levels.reshape(-1, *SHAPE)


def test_walks_through_steps_are_not_smooth_and_even_walks_are():
    found = gan.examine(players(8, Steps), real(), real(seed=1))
    value = found.values["interpolation_smoothness"]
    # one step of 21 makes all the difference, in every walk that has one; a great circle's short
    # arc crosses a plane once at most
    assert_allclose(value.value, 1 / 21, rtol=1e-12)
    assert value.sd < 1e-12
    assert any("show one picture all the way" in s for s in found.warnings)
    value = gan.examine(players(16, Even), real(), real(seed=1)).values["interpolation_smoothness"]
    # all steps along a great circle of equal norms are equal; ends of unequal norms, which
    # vary by 1 / sqrt(32) of themselves in 16 dimensions, and rounding to levels take a little
    assert 0.75 < value.value < 1
    assert 0 < value.sd < 0.05


def test_a_generator_of_one_picture_has_no_smoothness():
    class One(Players):
        def decode(self, z, progress=None):
            return pictures(np.ones(len(z)))

    found = gan.examine(players(8, One), real(), real(seed=1))
    assert "interpolation_smoothness" not in found.values
    assert any(sentence.startswith("64 of 64 walks") for sentence in found.warnings)


def test_walks_are_shown_in_rows_and_progress_is_told():
    told = []
    found = gan.examine(
        players(16, Players), real(500), real(40), seed=4,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    rows = found.pictures["interpolation"].reshape(8, 8, *SHAPE).astype(float)
    ends = rows[:, [0, -1]].mean(axis=(2, 3, 4))
    assert np.abs(ends[:, 0] - ends[:, 1]).max() > 20
    total = 500 + 64 * 22
    assert told == [(500, total), (total, total)]


def test_the_discriminator_is_asked_as_it_was_trained():
    model = GAN({"network": "conv", "latent_dim": 8, "discriminator_widths": [8, 16]}, (16, 16, 1))
    images = np.random.Generator(np.random.Philox(5)).integers(0, 256, (7, 16, 16, 1), np.uint8)
    logits = model.discriminate(images)
    x = ops.convert_to_tensor(images.astype(np.float32) / 127.5 - 1)
    expected = ops.convert_to_numpy(call(model.discriminator, False, image=x))
    assert logits.shape == (7,)
    assert_allclose(logits, expected.reshape(7), rtol=1e-5, atol=1e-6)  # float32, compiled
