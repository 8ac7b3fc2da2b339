"""Whether copying and repeating are flagged, and an honest generator is not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kgen.data import ArrayImages, load
from kgen.errors import KgenError
from kgen.evaluation.metrics import memorisation
from kgen.evaluation.metrics.gaussian import fit_gaussian
from kgen.evaluation.metrics.memorisation import examine


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    """Return 2,000 real pictures in random order, all different."""
    images = load("embedded").images
    return images.gather(np.random.default_rng(0).permutation(len(images)))


def parts(real: np.ndarray, samples: np.ndarray, **kwargs):
    """Compare samples with 1,000 training pictures, beside 500 held-out ones."""
    return examine(
        ArrayImages(real[:1000]), ArrayImages(real[1000:1500]), ArrayImages(samples), **kwargs
    )


def rounded(x: np.ndarray) -> np.ndarray:
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def test_other_real_pictures_are_not_flagged(real):
    found = parts(real, real[1500:])
    assert found.warnings == ()
    ratio = found.values["nearest_train"]
    assert abs(ratio.value - 1) < 4 * ratio.sd
    assert found.values["copies"].value < 0.03  # 1 % expected, five of 500; three times as many
    assert found.values["duplicates"].value == 0.0


def test_the_gaussian_generator_is_not_flagged(real):
    gaussian = fit_gaussian(ArrayImages(real[:1000]))
    found = parts(real, np.concatenate(list(gaussian.draw(500, seed=1))))
    assert found.warnings == ()
    assert found.values["nearest_train"].value > 1.1  # its pictures are noisy, near to none


def test_a_hundred_training_pictures_repeated_are_flagged_twice(real):
    found = parts(real, real[np.arange(1000) % 100])
    assert found.values["copies"].value == 1.0
    assert found.values["duplicates"].value == 1.0
    assert found.values["nearest_train"].value < 0.01  # rounding of float32: 0.1 level of 30
    copying, repeating = found.warnings
    assert "100 % of the samples are nearer to a training picture" in copying
    assert "of 1,000 about 100 are different" in repeating


def test_a_hundred_pictures_that_it_was_not_trained_on_are_flagged_once(real):
    found = parts(real, real[1500 + np.arange(1000) % 100])
    assert found.values["duplicates"].value == 1.0
    (warning,) = found.warnings
    assert "about 100 are different" in warning


@pytest.mark.parametrize(("noise", "same"), [(1.0, True), (3.5, True), (12.0, False)])
def test_near_equal_means_within_four_levels_of_each_other(real, noise, same):
    rng = np.random.default_rng(0)
    # Two pictures with independent noise of sd s differ by s sqrt(2); mid-grey, so none is clipped.
    grey = 64 + (real[1500:1540] // 2)
    twice = np.concatenate([grey, grey]).astype(float)
    twice += rng.normal(0, noise / 2**0.5, twice.shape)
    assert parts(real, rounded(twice)).values["duplicates"].value == float(same)


def test_noisy_copies_are_copies(real):
    noisy = rounded(real[:500] + np.random.default_rng(0).normal(0, 5, real[:500].shape))
    found = parts(real, noisy)
    assert found.values["copies"].value > 0.95
    assert "copies" in found.warnings[0]


def test_the_closest_pairs_are_shown_with_their_training_pictures(real):
    samples = np.concatenate([real[1500:1600], real[[7, 3, 3]]])
    pairs = parts(real, samples).pictures["closest"]
    assert pairs.shape == (2 * memorisation.PAIRS, 28, 28, 1)
    copied = {pairs[0].tobytes(), pairs[2].tobytes()}
    assert copied == {real[7].tobytes(), real[3].tobytes()}  # each training picture once
    assert pairs[1].tobytes() == pairs[0].tobytes()
    distance = np.square(pairs[::2].astype(float) - pairs[1::2]).sum(axis=(1, 2, 3))
    assert np.all(np.diff(distance) >= 0)


def test_the_distances_are_those_of_plain_loops(real):
    index, distances = memorisation._nearest(
        memorisation._rows(real[1000:1020]), ArrayImages(real[:1000]), None
    )
    for i in range(20):
        gap = real[1000 + i].astype(float) - real[:1000]
        expected = np.sqrt(np.square(gap).mean(axis=(1, 2, 3)))
        assert index[i] == expected.argmin()
        assert_allclose(distances[i], expected.min(), rtol=1e-4)  # float32 sums of 784 squares


def test_tiles_change_nothing_and_progress_is_told(real, monkeypatch):
    whole = parts(real, real[[*range(1500, 1600), 0, 0]])
    monkeypatch.setattr(memorisation, "_QUERIES", 64)
    monkeypatch.setattr(memorisation, "_ROWS", 300)
    told = []
    tiled = parts(real, real[[*range(1500, 1600), 0, 0]], progress=lambda *args: told.append(args))
    assert told == [(300, 1000), (600, 1000), (900, 1000), (1000, 1000)]
    for name, value in whole.values.items():
        assert_allclose(tiled.values[name].value, value.value, rtol=1e-4)  # order of float32 sums


def test_large_pictures_are_averaged_down():
    x = np.random.default_rng(0).integers(0, 256, (2, 70, 40, 3)).astype(np.uint8)
    rows = memorisation._rows(x)  # by three: 24 x 14, the last row and column of one pixel
    assert rows.shape == (2, 24 * 14 * 3)
    first = x[0].astype(float)
    assert_allclose(
        rows[0].reshape(24, 14, 3)[0, 0], first[:3, :3].mean(axis=(0, 1)) - 127.5, rtol=1e-5
    )
    assert_allclose(rows[0].reshape(24, 14, 3)[-1, -1], first[69, 39] - 127.5, rtol=1e-5)


def test_the_standard_deviations_are_those_over_draws(real):
    rng = np.random.default_rng(0)
    found, estimates = [], []
    for _ in range(50):
        # Distances of two gamma distributions, whose low tail the copies come from.
        near, beside = rng.gamma(8, 1.0, 400), rng.gamma(9, 1.0, 500)
        values = memorisation._values(near, beside, rng)
        found.append([values[k].value for k in ("nearest_train", "copies")])
        estimates.append([values[k].sd for k in ("nearest_train", "copies")])
    # The true ones are known to 10 %, and a percentile of 500 draws is rough.
    ratio = np.sqrt(np.mean(np.square(estimates), axis=0)) / np.std(found, axis=0)
    assert_allclose(ratio, 1.0, atol=0.4)


def test_duplicates_vary_as_pairs_do():
    # Draws of 20,000 far-apart rows, 400 at a time: a few pairs of equals in each.
    rng = np.random.default_rng(0)
    rows = rng.uniform(-127, 127, (20_000, 16)).astype(np.float32)
    shares = [
        memorisation._repetitions(rows[rng.integers(0, 20_000, 400)])[0].mean() for _ in range(300)
    ]
    share = np.mean(shares)
    assert_allclose(share, 400 / 20_000, rtol=0.15)  # 1,200 pairs, four standard errors
    expected = np.sqrt(2 * share * (1 - share) / 400)
    assert_allclose(np.std(shares), expected, rtol=0.2)  # known to 1 / sqrt(600) = 4 %


def test_sizes_must_agree_and_few_pictures_are_refused(real):
    with pytest.raises(KgenError, match=r"expected 28 x 28 x 1.*generated pictures of 14 x 28 x 1"):
        parts(real, real[:30, ::2])
    with pytest.raises(KgenError, match="5 generated pictures"):
        parts(real, real[:5])


def test_a_percentile_of_few_held_out_pictures_is_called_rough(real):
    found = examine(*(ArrayImages(x) for x in (real[:1000], real[1000:1100], real[1500:])))
    assert "100 held-out pictures" in found.warnings[0]
