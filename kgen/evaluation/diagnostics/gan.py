"""Whether a GAN's two players are balanced, and whether its pictures change as its latents do."""

from collections.abc import Callable

import numpy as np

from kgen import noise
from kgen.evaluation.diagnostics.estimate import bootstrap_sd, mean, only_finite, spread
from kgen.evaluation.record import Findings, Series, Value
from kgen.models.gan import GAN, great_circle
from kgen.models.generative import Progress

BINS = 10
"""Bins of the discriminator's probability."""
PICTURES = 10_000
"""Pictures of each kind that the discriminator is asked about, at most."""
WALKS, SEGMENTS = 64, 21
"""Walks between two latents, and steps of each."""
SHOWN, FRAMES = 8, 8
"""Walks that are shown, and pictures of each: every third of a walk's."""
RIGHT = 0.99
"""A discriminator that is right this often leaves the generator little to learn from."""
KNOWN = 0.05
"""A discriminator that is right so much more often about its training pictures knows them."""
_ERRORS = 3.0  # standard errors within which a share is taken for what it is compared with
_HALVINGS = 64  # of an interval, to the last bit of its middle
_SIMULATIONS = 32  # draws of labels that tell how miscalibrated a calibrated discriminator looks

WALK_STREAM, FLOOR_DOMAIN = 2**40, 19
"""Noise of the walks' ends, which the pictures' own, stream 0, never reaches; of the bias."""


def examine(
    model: GAN,
    held_out: np.ndarray,
    train: np.ndarray,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Measure a GAN by its discriminator, on unseen pictures, and by walks through its latents.

    The discriminator is asked about as many generated pictures as real ones, rounded to grey levels
    both, drawn by the averaged generator as all pictures of the model are. One that judges pairs
    (`relativistic`) has logits up to a constant: it gets the one that fits these pictures best.

    Args:
        model: trained.
        held_out: real pictures, uint8 (n, h, w, c).
        train: those it was trained on, uint8 (m, h, w, c).
        seed: of the generated pictures and of the walks.
        progress: called with (pictures drawn, all that will be).

    Returns:
        Values ``d_accuracy_real``, ``d_accuracy_fake``, ``d_calibration_error``,
        ``interpolation_smoothness``; series ``reliability``; pictures ``interpolation``, 8 walks in
        a row each.
    """
    n = min(len(held_out), PICTURES)
    total = n + WALKS * (SEGMENTS + 1)

    def report(before: int) -> Progress:
        return lambda done, _: progress(before + done, total) if progress else None

    fake = model.discriminate(model.generate(n, seed=seed, progress=report(0)))
    real = model.discriminate(held_out[spread(len(held_out), n)])
    known = model.discriminate(train[spread(len(train), n)])
    if model.relativistic:
        middle = intercept(real, fake)
        real, fake, known = real - middle, fake - middle, known - middle
    found = _accuracy(real, fake, known)
    found |= _calibration(real, fake, seed)
    found |= _walks(lambda z: model.decode(z, report(n)), model.settings.latent_dim, seed)
    return only_finite(found)


def _accuracy(real: np.ndarray, fake: np.ndarray, known: np.ndarray) -> Findings:
    """Count how often the discriminator is right; logits (n,) of unseen, generated, known ones."""
    on_real, on_fake, on_known = mean(real > 0), mean(fake <= 0), mean(known > 0)
    right = (on_real.value + on_fake.value) / 2
    error = np.hypot(on_real.sd or 0.0, on_fake.sd or 0.0) / 2
    said = []
    if min(on_real.value, on_fake.value) >= RIGHT:
        said.append(
            f"The discriminator is right about {100 * right:.1f} % of unseen and generated "
            "pictures: the generator is losing, and learns little from one that is always right. "
            "Train the generator more often, or the discriminator with a smaller rate or more "
            "dropout."
        )
    elif abs(right - 0.5) <= max(_ERRORS * error, 0.005):
        said.append(
            f"The discriminator is at chance, right about {100 * right:.1f} % of unseen and "
            "generated pictures. Either these cannot be told apart, and then the Fréchet distance "
            "is near its floor, or it has learned nothing, or forgotten it."
        )
    if on_known.value - on_real.value > KNOWN:
        said.append(
            f"The discriminator takes {100 * on_known.value:.0f} % of its training pictures for "
            f"real and {100 * on_real.value:.0f} % of unseen ones: it knows them by heart, which "
            "teaches the generator little. More pictures, more dropout or fewer steps help."
        )
    return Findings(
        values={"d_accuracy_real": on_real, "d_accuracy_fake": on_fake}, warnings=tuple(said)
    )


def intercept(real: np.ndarray, fake: np.ndarray) -> float:
    """Return the constant c for which sigmoid(logit - c) tells real from generated ones best.

    The maximum of the likelihood, where the probabilities' sum is the number of real pictures: the
    intercept of a logistic regression whose slope is 1.

    Args:
        real, fake: logits (n,) each, as many of either: c is among them.
    """
    logits = np.concatenate([real, fake]).astype(np.float64)
    low, high = logits.min(), logits.max()
    for _ in range(_HALVINGS):  # the sum falls as c grows
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(logits - middle).sum() > len(real) else (low, middle)
    return float((low + high) / 2)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64).clip(-700, 700)))


def _calibration(real: np.ndarray, fake: np.ndarray, seed: int) -> Findings:
    """Compare what the discriminator says with how often it is so.

    The `bias` of the error is that of a discriminator whose every probability is right.
    """
    p = _sigmoid(np.concatenate([real, fake]))
    is_real = np.repeat([True, False], [len(real), len(fake)])
    rng = np.random.Generator(noise.philox(seed, 0, domain=FLOOR_DOMAIN))
    ideal = [calibration_error(p, rng.random(len(p)) < p) for _ in range(_SIMULATIONS)]
    value = Value(
        value=calibration_error(p, is_real),
        sd=bootstrap_sd(calibration_error, p, is_real, seed=seed),
        bias=float(np.mean(ideal)),
    )
    count, said, so = _bins(p, is_real)
    met = count > 0
    return Findings(
        values={"d_calibration_error": value},
        series={
            "reliability": Series(
                x=tuple(said[met].tolist()),
                x_label="probability of real that the discriminator gives",
                y_label="share that is real",
                lines={
                    "discriminator": tuple(so[met].tolist()),
                    "calibrated": tuple(said[met].tolist()),
                },
            )
        },
    )


def calibration_error(p: np.ndarray, is_real: np.ndarray) -> float:
    """Return the expected calibration error of probabilities of being real.

    Pictures are put into ten bins by p; the error is the distance between the mean of p and the
    share of real pictures, averaged over bins by how many pictures they hold. 0 is calibrated;
    0.5 is always sure and wrong half of the time.

    Source: Guo et al. (2017), eq. 3, with p of one of the two classes in place of the confidence in
    the one that is chosen.

    Args:
        p: float (n,) in [0, 1].
        is_real: bool (n,).
    """
    count, said, so = _bins(p, is_real)
    return float(np.sum(count * np.abs(said - so)) / len(p))


def _bins(p: np.ndarray, is_real: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures in each bin, the mean of p and the share of real ones there (0 of none)."""
    index = np.minimum((p * BINS).astype(int), BINS - 1)
    count = np.bincount(index, minlength=BINS)
    sums = (np.bincount(index, weights, BINS) for weights in (p, is_real.astype(np.float64)))
    said, so = (total / np.maximum(count, 1) for total in sums)
    return count, said, so


def _walks(decode: Callable[[np.ndarray], np.ndarray], latent_dim: int, seed: int) -> Findings:
    """Walk between random latents and look how evenly the picture changes.

    A walk's smoothness is its mean step divided by its largest, in root mean squared pixels: 1
    where every step changes the picture as much, 1 / 21 where one step changes all of it. Unlike
    the perceptual path length (Karras et al. 2019, section 4.1) it needs no other network and does
    not punish a generator for drawing different pictures, only for jumping between them. Latents
    follow the great circle (White 2016).
    """
    ends = noise.normal(seed, (2, WALKS, latent_dim), stream=WALK_STREAM)
    z = np.concatenate([great_circle(a, b, SEGMENTS + 1) for a, b in zip(*ends, strict=True)])
    pictures = decode(z)
    walks = pictures.reshape(WALKS, SEGMENTS + 1, *pictures.shape[1:])
    smoothness = np.array([s for walk in walks if (s := walk_smoothness(walk)) is not None])
    values, said = {}, ()
    if len(smoothness):
        values["interpolation_smoothness"] = mean(smoothness)
    if len(smoothness) < WALKS:
        said = (
            f"{WALKS - len(smoothness)} of {WALKS} walks between two latents show one picture all "
            "the way: the generator draws the same whatever it is given.",
        )
    shown = walks[:SHOWN, :: SEGMENTS // (FRAMES - 1)]
    return Findings(
        values=values,
        pictures={"interpolation": shown.reshape(-1, *pictures.shape[1:])},
        warnings=said,
    )


def walk_smoothness(walk: np.ndarray) -> float | None:
    """Return the mean step of a walk, pictures uint8 (k, h, w, c), divided by its largest.

    None where nothing changes.
    """
    steps = np.diff(walk.reshape(len(walk), -1).astype(np.float64), axis=0)
    sizes = np.sqrt(np.square(steps).mean(axis=1))
    return float(sizes.mean() / sizes.max()) if sizes.max() > 0 else None
