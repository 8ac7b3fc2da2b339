"""What a (variational) autoencoder kept of pictures, and whether its latents can be sampled."""

import math

import numpy as np

from kgen import noise
from kgen.evaluation.diagnostics.estimate import bootstrap_sd, mean, only_finite, spread
from kgen.evaluation.diagnostics.linear import Linear
from kgen.evaluation.diagnostics.normal import cdf
from kgen.evaluation.record import Findings, Series, Value
from kgen.likelihoods import Gaussian
from kgen.models.autoencoder import ACTIVE, VAE, Autoencoder
from kgen.models.generative import Progress

PAIRS = 16
"""Pictures that are shown with their reconstruction."""
MISFIT = 0.1
"""Latents do not look like N(0, 1) where more than this share of them is out of place."""
BINS = 60
_SHOWN = 4.5  # standard deviations of N(0, 1) that a histogram shows at least
_FLOORS = 8  # draws from N(0, 1) that tell how far finitely many numbers are from it

LATENT_STREAM, FLOOR_STREAM = 2**40, 2**41
"""Streams of noise that the importance samples, 0, 1, ..., never reach."""


def examine(
    model: Autoencoder,
    held_out: np.ndarray,
    train: np.ndarray,
    *,
    seed: int = 0,
    importance_samples: int = 64,
    progress: Progress | None = None,
) -> Findings:
    """Measure an AE or a VAE by what it does with pictures it has not seen.

    The bars beside the numbers are those of linear models with as many latents, fit on the training
    pictures: PCA for the squared error, probabilistic PCA for the likelihoods.

    Args:
        model: trained.
        held_out: pictures uint8 (n, h, w, c).
        train: those it was trained on, uint8 (m, h, w, c).
        seed: of the draws from the posterior.
        importance_samples: k, draws for each picture: the `iwae` bound rises with it, and so does
            the time, n k passes of the decoder.
        progress: called with (passes done, n k); an AE makes none.

    Returns:
        Values ``reconstruction_mse``, ``active_units``, ``latent_fit``; of a VAE also
        ``elbo``, ``iwae``, ``bits_per_dim``, ``iwae_bits_per_dim``. Series ``latent_histogram``, of
        a VAE ``latent_kl``. Pictures ``reconstructions``: a picture, its reconstruction, the next.
    """
    linear = Linear.fit(train)
    means, logvars = model.posterior(held_out)
    found = _reconstruction(model, held_out, means, linear)
    z = means
    if isinstance(model, VAE):
        draws = (held_out, means, logvars)
        log_weights = _log_weights(model, draws, seed, importance_samples, progress)
        found |= _bounds(model, held_out, log_weights, linear)
        found |= _information(means, logvars)
        z = _drawn(means, logvars, seed)
    found |= _activity(means, seed)
    latents = model.to_noise(z)
    found |= _fit(latents, seed)
    if found.values["latent_fit"].value > MISFIT:
        found |= _misfit(model, latents, train, seed)
    return only_finite(found)


def _reconstruction(
    model: Autoencoder, images: np.ndarray, means: np.ndarray, linear: Linear
) -> Findings:
    """Compare pictures with what their latents' means are decoded to."""
    rebuilt = model.decode(model.to_noise(means))
    errors = np.array([
        np.square((a.astype(np.float64) - b) / 255).mean()
        for a, b in zip(images, rebuilt, strict=True)
    ])  # fmt: skip
    pca = mean(linear.pca_mse(images, means.shape[1])).value
    value = mean(errors, bar=pca)
    shown = spread(len(images), PAIRS)
    said = ()
    if value.value > pca:
        said = (
            f"Pictures are rebuilt worse (mean squared error {value.value:.3g}) than by PCA with "
            f"as many latents ({pca:.3g}): the network is trained too little, or its "
            "latents are not used.",
        )
    return Findings(
        values={"reconstruction_mse": value},
        pictures={"reconstructions": np.stack([images[shown], rebuilt[shown]], axis=1).reshape(
            -1, *images.shape[1:]
        )},
        warnings=said,
    )  # fmt: skip


def _log_weights(
    model: VAE, pictures: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int, k: int,
    progress: Progress | None,
) -> np.ndarray:  # fmt: skip
    """Draw k latents of each picture's posterior: log p(x, z) - log q(z | x), float64 (n, k).

    One draw of all pictures at a time, so that no picture is held k times.
    """
    images, means, logvars = pictures
    n = len(images)
    weights = np.empty((n, k))
    for i in range(k):
        eps = noise.normal(seed, means.shape, stream=i)

        def report(done: int, _: int, before: int = i * n) -> None:
            if progress:
                progress(before + done, n * k)

        weights[:, i] = model.log_weights(images, means, logvars, eps, report)
    return weights


def _bounds(model: VAE, images: np.ndarray, log_weights: np.ndarray, linear: Linear) -> Findings:
    """Bound the log-likelihood from below.

    The ELBO is the expectation of a log-weight (Burda et al. 2016, eq. 3), the IWAE bound that of
    the logarithm of the mean of k weights (eq. 8), at least as large and at most log p(x).
    """
    size = math.prod(images.shape[1:])
    top = log_weights.max(axis=1)
    # An infinite weight is a finding of its own, not a warning about arithmetic.
    with np.errstate(invalid="ignore"):
        iwae = top + np.log(np.exp(log_weights - top[:, None]).mean(axis=1))
    bar = None
    if isinstance(model.likelihood, Gaussian):
        likelihood = linear.log_likelihood(images, model.settings.latent_dim)
        bar = None if likelihood is None else float(likelihood.mean())
    values = {}
    for name, bits, samples in (
        ("elbo", "bits_per_dim", log_weights.mean(axis=1)),
        ("iwae", "iwae_bits_per_dim", iwae),
    ):
        value = values[name] = mean(samples, bar=bar)
        values[bits] = Value(
            value=float(model.likelihood.bits_per_dim(value.value, size)),
            sd=None if value.sd is None else value.sd / (size * math.log(2)),
            bar=None if bar is None else float(model.likelihood.bits_per_dim(bar, size)),
        )
    said = ()
    if bar is not None and -np.inf < values["elbo"].value < bar:
        said = (
            f"The ELBO, {values['elbo'].value:.1f} nats, is below what the best linear model with "
            f"as many latents reaches ({bar:.1f}): train longer, or look whether latents are used.",
        )
    return Findings(values=values, warnings=said)


def _information(means: np.ndarray, logvars: np.ndarray) -> Findings:
    """Show how many nats each latent carries about a picture.

    It is ``KL(q(z_i | x) || N(m_i, v_i))``, averaged over pictures, with the mean and the variance
    that latent i has over all of them; with a prior N(0, I) that the latents fit, it is the KL of
    the ELBO (Kingma & Welling 2014, appendix B), latent by latent.
    """
    variances = np.exp(logvars.astype(np.float64))
    total = means.var(axis=0, dtype=np.float64) + variances.mean(axis=0)
    # The mean over pictures of the squares in the KL is the total variance itself.
    nats = 0.5 * (np.log(total) - logvars.mean(axis=0, dtype=np.float64))
    order = np.argsort(-nats)
    return Findings(
        series={
            "latent_kl": Series(
                x=tuple(str(i) for i in order),
                x_label="latent",
                y_label="nats it carries about a picture",
                lines={"model": tuple(float(nats[i]) for i in order)},
            )
        }
    )


def _activity(means: np.ndarray, seed: int) -> Findings:
    """Count the latents whose mean depends on the picture (Burda et al. 2016, section 5.1)."""

    def active(rows: np.ndarray) -> float:
        return float(np.sum(rows.var(axis=0) > ACTIVE))

    value = Value(value=active(means), sd=bootstrap_sd(active, means, seed=seed))
    said = ()
    if value.value == 0:
        said = (
            "No latent depends on the picture: the decoder draws the same whatever it is given. "
            "Lower the weight of the KL, or let it rise slowly (kl_warmup_steps).",
        )
    return Findings(values={"active_units": value}, warnings=said)


def _drawn(means: np.ndarray, logvars: np.ndarray, seed: int) -> np.ndarray:
    """Draw one latent of each picture's posterior."""
    return means + np.exp(logvars / 2) * noise.normal(seed, means.shape, stream=LATENT_STREAM)


def _fit(latents: np.ndarray, seed: int) -> Findings:
    """Compare the latents of all pictures with N(0, 1), which new pictures are drawn from.

    `latent_fit` is the largest distance between their distribution functions, of the latent where
    it is largest: the share of them that is out of place (Kolmogorov 1933). Its `bias` is what as
    many draws from N(0, 1) itself reach. How latents depend on each other it does not see.
    """
    n, dims = latents.shape
    distances = kolmogorov(latents)
    worst = int(np.argmax(distances))
    ideal = [
        kolmogorov(noise.normal(seed, (n, dims), stream=FLOOR_STREAM + i)).max()
        for i in range(_FLOORS)
    ]
    column = latents[:, [worst]]
    value = Value(
        value=float(distances[worst]),
        sd=bootstrap_sd(lambda rows: float(kolmogorov(rows)[0]), column, seed=seed),
        bias=float(np.mean(ideal)),
    )
    return Findings(
        values={"latent_fit": value},
        series={"latent_histogram": _histogram(latents, worst)},
    )


def _misfit(model: Autoencoder, latents: np.ndarray, train: np.ndarray, seed: int) -> Findings:
    """Say which latent is out of place, and what may help: more training, or less of it."""
    distances = kolmogorov(latents)
    worst = int(np.argmax(distances))
    unlearned = "The decoder has not learned what it is asked to draw there; "
    if not isinstance(model, VAE):
        reason = unlearned + "an autoencoder does not ask latents to be so, and a VAE does."
    else:
        rows = spread(len(train), len(latents))
        seen = model.to_noise(_drawn(*model.posterior(train[rows]), seed))
        reason = (
            unlearned + "train longer, or raise the weight of the KL."
            if kolmogorov(seen[:, [worst]])[0] > MISFIT
            else "In the pictures it was trained on it is: the model knows them better. "
            "Train on more pictures, or for fewer epochs."
        )
    return Findings(
        warnings=(
            f"Latent {worst} of the pictures is not N(0, 1), which new pictures are drawn from: "
            f"{100 * distances[worst]:.0f} % of it is out of place. {reason}",
        )
    )


def kolmogorov(columns: np.ndarray) -> np.ndarray:
    """Return the Kolmogorov-Smirnov distance of each column from N(0, 1).

    Args:
        columns: float (n, d).

    Returns:
        float64 (d,), in [1 / 2n, 1].
    """
    n = len(columns)
    expected = cdf(np.sort(columns, axis=0))
    steps = np.arange(n + 1)[:, None] / n
    return np.maximum(steps[1:] - expected, expected - steps[:-1]).max(axis=0)


def _histogram(latents: np.ndarray, worst: int) -> Series:
    """Draw the density of all latents, and of the one that fits worst, beside N(0, 1)."""
    end = max(_SHOWN, float(np.quantile(np.abs(latents), 0.999)))
    edges = np.linspace(-end, end, BINS + 1)
    centers = (edges[1:] + edges[:-1]) / 2
    width = edges[1] - edges[0]

    def density(values: np.ndarray) -> tuple[float, ...]:
        # Not NumPy's own density: what lies beyond the ends counts as well.
        return tuple((np.histogram(values, edges)[0] / (values.size * width)).tolist())

    return Series(
        x=tuple(centers.tolist()),
        x_label="value of a latent",
        y_label="density",
        lines={
            "latents": density(latents),
            f"latent {worst}, the worst": density(latents[:, worst]),
            "N(0, 1)": tuple((np.diff(cdf(edges)) / width).tolist()),
        },
    )
