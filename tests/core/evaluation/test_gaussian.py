"""The Gaussian generator against the moments that it is fitted to."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kgen.data import ArrayImages, load
from kgen.evaluation.metrics import gaussian as module
from kgen.evaluation.metrics.gaussian import Gaussian, fit_gaussian


def drawn(gaussian: Gaussian, n: int, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(gaussian.draw(n, seed)))


def pictures(n: int, shape: tuple[int, int, int], rank: int, seed: int = 0) -> np.ndarray:
    """Draw from a normal distribution far from 0 and 255: `rank` directions, and a little noise."""
    rng = np.random.default_rng(seed)
    d = int(np.prod(shape))
    basis = rng.standard_normal((rank, d)) * 25 / rank**0.5
    x = 128 + rng.standard_normal((n, rank)) @ basis + rng.normal(0, 2, (n, d))
    return np.round(x).clip(0, 255).astype(np.uint8).reshape(n, *shape)


@pytest.mark.parametrize("limit", [4096, 10], ids=["whole", "by components"])
def test_it_draws_pictures_of_the_mean_and_the_covariance_of_the_data(limit, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", limit)
    monkeypatch.setattr(module, "COMPONENTS", 8)
    images = pictures(1000, (4, 5, 1), rank=3)
    found = drawn(fit_gaussian(ArrayImages(images)), 4000)
    assert (found.dtype, found.shape) == (np.uint8, (4000, 4, 5, 1))
    flat, expected = found.reshape(4000, -1), images.reshape(1000, -1)
    sd = expected.std(axis=0)
    # Four standard errors of the difference of means of 4,000 and 1,000.
    error = (1 / 4000 + 1 / 1000) ** 0.5
    assert np.all(np.abs(flat.mean(axis=0) - expected.mean(axis=0)) < 4 * error * sd)
    gap = np.cov(flat, rowvar=False) - np.cov(expected, rowvar=False)
    # The same of a covariance, whose own deviation is at most sd_i sd_j sqrt(2 / n).
    assert np.all(np.abs(gap) < 4 * error * 2**0.5 * np.outer(sd, sd))


def test_by_components_the_total_variance_is_the_datas(monkeypatch):
    images = pictures(600, (6, 6, 3), rank=5)
    monkeypatch.setattr(module, "LARGEST", 10)
    monkeypatch.setattr(module, "COMPONENTS", 4)  # fewer than the data's directions
    fitted = fit_gaussian(ArrayImages(images))
    total = np.square(fitted.basis).sum() + fitted.rest**2 * len(fitted.mean)
    # Eigenvalues as computed from float32 pictures.
    assert_allclose(total, images.reshape(600, -1).var(axis=0, ddof=1).sum(), rtol=1e-4)
    assert fitted.basis.shape == (108, 4)
    assert fitted.rest > 0


def test_pictures_depend_on_the_seed_and_their_number_alone(monkeypatch):
    fitted = fit_gaussian(ArrayImages(pictures(50, (4, 4, 1), rank=3)))
    many = drawn(fitted, 100, seed=3)
    monkeypatch.setattr(module, "_step", lambda values: 7)
    assert drawn(fitted, 30, seed=3).tobytes() == many[:30].tobytes()
    assert drawn(fitted, 30, seed=4).tobytes() != many[:30].tobytes()


def test_fitting_streams_and_tells_progress(monkeypatch):
    images = ArrayImages(pictures(50, (4, 4, 1), rank=3))
    whole = fit_gaussian(images)
    monkeypatch.setattr(module, "_step", lambda values: 20)
    told = []
    streamed = fit_gaussian(images, progress=lambda *args: told.append(args))
    assert told == [(20, 50), (40, 50), (50, 50)]
    assert_allclose(streamed.mean, whole.mean, rtol=1e-12)
    covariance = [g.basis @ g.basis.T for g in (streamed, whole)]
    assert_allclose(covariance[0], covariance[1], rtol=0, atol=1e-9)  # of 600, by eigh in float64


def test_fewer_pictures_than_values_are_enough():
    images = load("embedded").images
    few = ArrayImages(images.gather(np.arange(20)))
    fitted = fit_gaussian(few)
    assert fitted.basis.shape == (784, 19)
    assert drawn(fitted, 5).std() > 0
