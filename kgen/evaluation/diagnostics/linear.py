"""What the best linear model reaches on the same pictures: the bar for one that need not be linear.

All of it follows from the mean and the covariance of the training pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from kgen.evaluation.diagnostics.estimate import spread

CHUNK = 1024
"""Pictures that are turned into float64 at a time."""
LARGEST = 4096
"""Values of a picture up to which the whole covariance is computed, and pictures used beyond."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Linear:
    """The Gaussian with the mean and covariance of some pictures, whose values are in [0, 1].

    Attributes:
        mean: float64 (d,), d = height width channels.
        variances: float64 (r,), eigenvalues of the covariance, falling; those left out are 0.
        basis: float64 (d, r), the directions that they belong to, orthonormal.
    """

    mean: np.ndarray
    variances: np.ndarray
    basis: np.ndarray

    @classmethod
    def fit(cls, images: np.ndarray) -> Self:
        """Find mean and covariance of pictures uint8 (n, h, w, c).

        Of pictures with more than :data:`LARGEST` values, as many are used at most, spread evenly.
        """
        d = int(np.prod(images.shape[1:]))
        if d > LARGEST:
            images = images[spread(len(images), LARGEST)]
        total = np.zeros(d)
        for x in _chunks(images):
            total += x.sum(axis=0)
        mean = total / len(images)
        if d > LARGEST:
            # The singular vectors of fewer pictures than values, by the smaller Gram matrix.
            x = np.concatenate(list(_chunks(images))) - mean
            variances, left = np.linalg.eigh(x @ x.T / len(x))
            kept = variances > 1e-10 * variances[-1]
            basis = x.T @ left[:, kept] / np.sqrt(len(x) * variances[kept])
            return cls(mean=mean, variances=variances[kept][::-1], basis=basis[:, ::-1])
        covariance = np.zeros((d, d))
        for x in _chunks(images):
            covariance += (x - mean).T @ (x - mean)
        variances, basis = np.linalg.eigh(covariance / len(images))
        return cls(mean=mean, variances=np.maximum(variances, 0.0)[::-1], basis=basis[:, ::-1])

    def pca_mse(self, images: np.ndarray, latents: int) -> np.ndarray:
        """Return the squared error per value of pictures rebuilt from their first principal parts.

        No linear autoencoder of as many latents does better on the pictures it was fit on.
        Source: Eckart & Young (1936).

        Args:
            images: uint8 (n, h, w, c).
            latents: how many parts are kept.

        Returns:
            float64 (n,), values in [0, 1].
        """
        lost = np.ones(len(self.variances))
        lost[:latents] = 0.0
        return self._quadratic(images, lost, 1.0) / len(self.mean)

    def log_likelihood(self, images: np.ndarray, latents: int) -> np.ndarray | None:
        """Return log p(x) under probabilistic PCA, the best linear VAE with a learned variance.

        Source: Tipping & Bishop (1999), eq. 4, 7 and 8; that its ELBO is this, Lucas et al. (2019),
        section 4.

        Args:
            images: uint8 (n, h, w, c).
            latents: fewer than the values of a picture.

        Returns:
            float64 (n,), nats, a density over [0, 1]; None where it is infinite, since `latents`
            parts are all that the training pictures vary in.
        """
        d, kept = len(self.mean), self.variances[:latents]
        rest = (self.variances.sum() - kept.sum()) / max(d - latents, 1)
        if latents >= d or kept[-1] <= 0 or rest <= 1e-12 * kept[0]:
            return None
        precisions = np.full(len(self.variances), 1 / rest)
        precisions[:latents] = 1 / kept
        log_det = np.log(kept).sum() + (d - latents) * np.log(rest)
        return -0.5 * (
            d * np.log(2 * np.pi) + log_det + self._quadratic(images, precisions, 1 / rest)
        )

    def eps_mse(self, images: np.ndarray, alpha_bars: np.ndarray) -> np.ndarray:
        """Return the squared error of the best linear guess of the noise in pictures in [-1, 1].

        With lambda the variances, it is ``eps_hat = sqrt(1 - ab) / (ab lambda + 1 - ab) * (xt -
        sqrt(ab) mean)`` along each direction, the posterior mean of eps for Gaussian pictures. The
        error is its expectation over eps, exactly, averaged over values and timesteps.

        Args:
            images: uint8 (n, h, w, c).
            alpha_bars: float (m,), of the timesteps, in (0, 1).

        Returns:
            float64 (n,).
        """
        ab = np.asarray(alpha_bars, np.float64)
        gain = self._gain(ab)
        missed = np.square(gain * np.sqrt(1 - ab) - 1).sum(axis=0).mean()
        weights = (4 * ab * gain * gain).mean(axis=1)
        beyond = float((4 * ab / (1 - ab)).mean())
        return (self._quadratic(images, weights, beyond) + missed) / len(self.mean)

    def eps_errors(
        self, images: np.ndarray, eps: np.ndarray, alpha_bars: np.ndarray
    ) -> np.ndarray:  # fmt: skip
        """Return what :meth:`eps_mse` is the expectation of: the error for the noise that is given.

        Args:
            images: uint8 (n, h, w, c), few: they are held as float64.
            eps: float (n, h, w, c), the noise that is added, the same at each timestep.
            alpha_bars: float (m,).

        Returns:
            float64 (n, m).
        """
        x = np.concatenate([2 * (chunk - self.mean) for chunk in _chunks(images)])
        x_parts, eps_parts = x @ self.basis, eps.reshape(len(x), -1) @ self.basis
        outside = np.maximum(np.square(x).sum(axis=1) - np.square(x_parts).sum(axis=1), 0.0)
        errors = []
        for ab, gain in zip(alpha_bars, self._gain(np.asarray(alpha_bars)).T, strict=True):
            missed = gain * (np.sqrt(ab) * x_parts + np.sqrt(1 - ab) * eps_parts) - eps_parts
            errors.append(np.square(missed).sum(axis=1) + ab / (1 - ab) * outside)
        return np.stack(errors, axis=1) / len(self.mean)

    def _gain(self, ab: np.ndarray) -> np.ndarray:
        """Return by how much xt counts along each direction, at each timestep: (r, m)."""
        # Pictures in [-1, 1] vary four times as much as in [0, 1].
        return np.sqrt(1 - ab) / (ab * 4 * self.variances[:, None] + 1 - ab)

    def _quadratic(self, images: np.ndarray, weights: np.ndarray, beyond: float) -> np.ndarray:
        """Sum squared parts of pictures about the mean, weighted: float64 (n,).

        Args:
            images: uint8 (n, h, w, c).
            weights: float (r,), of each direction.
            beyond: of what is outside of all directions.
        """
        sums = []
        for x in _chunks(images):
            x = x - self.mean
            squares = np.square(x @ self.basis)
            outside = np.maximum(np.square(x).sum(axis=1) - squares.sum(axis=1), 0.0)
            sums.append(squares @ weights + outside * beyond)
        return np.concatenate(sums)


def _chunks(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield pictures as float64 (k, d) in [0, 1]."""
    for start in range(0, len(images), CHUNK):
        piece = images[start : start + CHUNK]
        yield piece.reshape(len(piece), -1).astype(np.float64) / 255
