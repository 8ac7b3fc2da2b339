"""A prior's density, its two directions and its KL, against closed forms and plain calculus."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from kgen.errors import KgenError
from kgen.losses import kl_standard_normal
from kgen.noise import normal
from kgen.priors import Flow, StandardNormal, build_prior

pytestmark = pytest.mark.backend


def numpy(tensor):
    return ops.convert_to_numpy(tensor).astype("float64")


def bent(latent_dim, depth=4, width=8, size=0.3):
    """A flow whose weights are random: far from the identity it starts as."""
    prior = Flow(latent_dim, depth, width)
    for stream, variable in enumerate(prior.trainable_variables):
        variable.assign(size * normal(3, tuple(variable.shape), stream=stream))
    return prior


@pytest.mark.parametrize("latent_dim", [1, 2, 5, 16])
def test_a_flow_and_its_inverse_undo_each_other(latent_dim):
    prior = bent(latent_dim)
    z = normal(0, (64, latent_dim))
    u = prior.to_noise(z)
    assert np.abs(numpy(u) - z).max() > 0.3
    # float32's 1e-7, and what four layers stretch it by
    assert_allclose(numpy(prior.from_noise(u)), z, atol=1e-5, rtol=1e-5)


def test_every_latent_moves_and_is_moved():
    latent_dim, depth = 5, 6  # 2 * ceil(log2(5))
    flow = bent(latent_dim, depth).flow
    kept = np.array([layer.kept for layer in flow.layers if hasattr(layer, "kept")])
    assert kept.shape == (depth, latent_dim)
    for a, b in itertools.permutations(range(latent_dim), 2):
        assert np.any(kept[:, a] & ~kept[:, b]), (a, b)


def test_a_new_flow_is_the_identity_of_a_standard_normal():
    prior, z = Flow(3, 4, 8), normal(1, (16, 3))
    assert_array_equal(numpy(prior.from_noise(z)), z)
    assert_array_equal(numpy(prior.to_noise(z)), z)
    expected = stats.norm.logpdf(z.astype("float64")).sum(axis=1)
    assert_allclose(numpy(prior.log_prob(z)), expected, rtol=1e-6)  # float32
    assert_allclose(numpy(StandardNormal().log_prob(z)), expected, rtol=1e-6)


def test_log_prob_is_a_normals_with_the_jacobian_of_differences():
    prior, z = bent(4, size=0.5), normal(2, (8, 4))
    step = 1e-2
    columns = []
    for j in range(4):
        ahead, behind = z.copy(), z.copy()
        ahead[:, j] += step
        behind[:, j] -= step
        columns.append((numpy(prior.to_noise(ahead)) - numpy(prior.to_noise(behind))) / (2 * step))
    log_det = np.linalg.slogdet(np.stack(columns, axis=-1))[1]
    assert np.ptp(log_det) > 0.3
    expected = stats.norm.logpdf(numpy(prior.to_noise(z))).sum(axis=1) + log_det
    # central differences: float32's 1e-6 over a step of 1e-2, and the kinks of ReLUs
    assert_allclose(numpy(prior.log_prob(z)), expected, atol=0.02)


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_a_flows_density_integrates_to_one_and_is_that_of_its_draws(latent_dim):
    prior, n = bent(latent_dim), 4000
    reach, steps = 12.0, 241
    axis = np.linspace(-reach, reach, steps, dtype="float32")
    z = np.stack(np.meshgrid(*[axis] * latent_dim), axis=-1).reshape(-1, latent_dim)
    log_prob, cell = numpy(prior.log_prob(z)), (2 * reach / (steps - 1)) ** latent_dim
    # Cells of 0.1; what kinks of the density leave of the rule's accuracy, and tails beyond 12.
    assert abs(np.exp(log_prob).sum() * cell - 1.0) < 0.01
    entropy = -np.sum(np.exp(log_prob) * log_prob) * cell
    drawn = -numpy(prior.log_prob(prior.from_noise(normal(5, (n, latent_dim)))))
    # 4 standard errors, and as above
    assert abs(drawn.mean() - entropy) < 4 * drawn.std() / np.sqrt(n) + 0.02


def test_the_kl_estimate_of_a_new_flow_has_the_closed_form_as_its_mean():
    mean, logvar = np.float32([0.5, -1.0, 2.0]), np.float32([0.0, -3.0, 1.0])
    n = 4000
    means, logvars = np.tile(mean, (n, 1)), np.tile(logvar, (n, 1))
    z = means + np.exp(logvars / 2) * normal(6, (n, 3))
    exact = numpy(kl_standard_normal(mean[None], logvar[None]))[0]
    estimates = numpy(Flow(3, 4, 8).kl(means, logvars, z))
    assert abs(estimates.mean() - exact) < 4 * estimates.std() / np.sqrt(n)  # 4 standard errors
    assert_allclose(numpy(StandardNormal().kl(means, logvars, z)), exact, rtol=1e-6)  # float32


def test_the_kl_estimate_agrees_with_log_q_minus_log_p():
    prior, n = bent(3), 4000
    mean, logvar = np.float32([0.5, -1.0, 2.0]), np.float32([0.0, -3.0, 1.0])
    means, logvars = np.tile(mean, (n, 1)), np.tile(logvar, (n, 1))
    z = means + np.exp(logvars / 2) * normal(7, (n, 3))
    log_q = stats.norm.logpdf(z, mean, np.exp(logvar / 2)).sum(axis=1)
    difference = numpy(prior.kl(means, logvars, z)) - (log_q - numpy(prior.log_prob(z)))
    # The entropy instead of log q(z): the same mean, 4 standard errors.
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(n)


def test_a_flow_learns_a_ring():
    # What N(0, I) cannot be: points on a circle. Its entropy is known, so the bound on the loss is.
    rng = np.random.Generator(np.random.Philox(1))
    n, spread = 2048, 0.1
    angle = rng.uniform(0, 2 * np.pi, n)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1) + spread * rng.normal(size=(n, 2))
    ring = ops.convert_to_tensor(ring.astype("float32"))
    prior = Flow(2, 4, 32)
    model = Likely(prior)
    jit = keras.backend.backend() == "jax"
    model.compile(optimizer=keras.optimizers.Adam(5e-3), jit_compile=jit)
    model.fit(ring, ring, batch_size=128, epochs=15, verbose=0)
    gaussian = stats.multivariate_normal(cov=(0.5 + spread**2) * np.eye(2)).entropy()
    reached = -numpy(prior.log_prob(ring)).mean()
    exact = np.log(2 * np.pi) + stats.norm(scale=spread).entropy()  # up to the ring's curvature
    # 240 steps get about half of the way from the best Gaussian, 1.2 nats above, by any seed.
    assert exact - 0.1 < reached < gaussian - 0.3


class Likely(keras.Model):
    """Maximises the likelihood of its input under a prior."""

    def __init__(self, prior):
        super().__init__()
        self.prior = prior
        self.built = True

    def call(self, x):
        return self.prior.log_prob(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return -ops.mean(y_pred)


def test_an_unknown_prior_is_named():
    with pytest.raises(KgenError, match="flow"):
        build_prior("flwo", 2, 2, 2)
