"""Evaluations as they come out, made in a blink: real pictures, figures of real trials."""

from dataclasses import replace
from functools import cache

import numpy as np

from kgen.data.named import SOURCES, load_named
from kgen.evaluation.record import Findings, Protocol, Record, Series, Target, Value
from kgen.noise import normal

CLASSES = SOURCES["fashion_mnist"].class_names
TIMES = tuple(range(0, 1000, 25))

# Of a small DCGAN, a VAE and a DDPM on two cores, with the floor and the Gaussian generator of
# Fashion-MNIST at 10,000 pictures.
DISTRIBUTION = {
    "gan": {
        "frechet_distance": Value(value=23.61, sd=0.21, floor=0.09, bar=74.2, bias=0.04),
        "kernel_distance": Value(value=0.113, sd=0.004, floor=0.0001, bar=0.41),
        "precision": Value(value=0.561, sd=0.006, floor=0.912, bar=0.688),
        "recall": Value(value=0.684, sd=0.007, floor=0.911, bar=0.152),
        "density": Value(value=0.313, sd=0.005, floor=1.002, bar=0.561),
        "coverage": Value(value=0.268, sd=0.005, floor=0.966, bar=0.141),
        "classifier_score": Value(value=4.12, sd=0.03, floor=8.11, bar=2.63),
    },
    "ddpm": {
        "frechet_distance": Value(value=7.84, sd=0.18, floor=0.35, bar=74.4, bias=0.31),
        "coverage": Value(value=0.731, sd=0.011, floor=0.958, bar=0.143),
        "recall": Value(value=0.702, sd=0.012, floor=0.905, bar=0.149),
    },
    "vae": {
        "frechet_distance": Value(value=28.9, sd=0.25, floor=0.09, bar=74.2, bias=0.04),
        "density": Value(value=1.214, sd=0.012, floor=1.002, bar=0.561),
        "coverage": Value(value=0.417, sd=0.006, floor=0.966, bar=0.141),
    },
}
MEMORY = {
    "nearest_train": Value(value=0.94, sd=0.008, floor=1.0),
    "copies": Value(value=0.004, sd=0.0006, floor=0.01),
    "duplicates": Value(value=0.0, floor=0.0),
}


@cache
def real() -> np.ndarray:
    """Return the embedded pictures, uint8 (2000, 28, 28, 1)."""
    images, _ = load_named("embedded", "train")
    return images.reshape(-1, 28, 28, 1)


@cache
def drawn(count: int, seed: int) -> np.ndarray:
    """Return pictures that look generated: real ones, each mixed with its like and noise."""
    images = real().astype(np.float64)
    first = images[seed : seed + count]
    flat = images[1000:].reshape(1000, -1)
    near = [int(np.argmin(((flat - x.ravel()) ** 2).sum(axis=1))) for x in first]
    mixed = (first + images[1000:][near]) / 2 + 6 * normal(seed, first.shape)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def alternating(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return pairs: first, second, first, second..."""
    return np.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def record(family: str = "gan", *, name: str | None = None, seed: int = 0) -> Record:
    """Make an evaluation of a run of a family, with all that such a one has."""
    found = {"gan": _gan, "vae": _vae, "ddpm": _ddpm}[family](seed)
    shared = Findings(
        values=DISTRIBUTION[family] | MEMORY,
        series={"class_counts": _counts(seed)},
        pictures={
            "samples": drawn(64, seed),
            "closest": alternating(drawn(12, seed + 64), real()[seed + 64 : seed + 76]),
        },
    )
    target = Target(
        name=name or f"{family}-fashion", kind="run", family=family, path="runs/somewhere",
        sampler="ddim eta=0, 50 steps" if family == "ddpm" else None,
        parameters={"gan": 1_003_457, "vae": 412_033, "ddpm": 124_289}[family],
        training_seconds=300.4, seconds_per_picture=0.064 if family == "ddpm" else 0.00021,
    )  # fmt: skip
    protocol = Protocol(
        data="fashion_mnist", split="test", reference=10_000,
        n=2_000 if family == "ddpm" else 10_000,
        seed=0, extractor="lenet64-v1", extractor_sha256="50112846f372" + "0" * 52,
        extractor_accuracy=0.902, class_names=CLASSES,
    )  # fmt: skip
    return Record(
        target=target, protocol=protocol, findings=shared | found, key="0" * 64, kgen="0.1.0",
        created="2026-11-25T01:00:00+00:00",
        environment={"python": "3.11.2", "keras": "3.15.1", "machine": "x86_64, 2 cores"},
    )  # fmt: skip


def changed(kept: Record, **values: Value) -> Record:
    """Return a record with other numbers."""
    findings = replace(kept.findings, values=kept.findings.values | values)
    return replace(kept, findings=findings)


def _counts(seed: int) -> Series:
    shares = np.array([9.1, 12.4, 8.8, 10.2, 9.6, 10.9, 3.2, 12.7, 10.1, 13.0]) + 0.1 * (seed % 7)
    return Series(
        x=CLASSES, x_label="what the classifier takes them for", y_label="pictures of 100",
        lines={"generated": tuple(shares.tolist()), "real": (10.0,) * 10},
    )  # fmt: skip


def _gan(seed: int) -> Findings:
    said = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
    true = tuple(0.5 + 0.35 * np.tanh(3 * (p - 0.5)) for p in said)
    rows = np.concatenate([_between(real()[i], real()[i + 200]) for i in range(seed, seed + 4)])
    return Findings(
        values={
            "d_accuracy_real": Value(value=0.713, sd=0.004),
            "d_accuracy_fake": Value(value=0.846, sd=0.003),
            "d_calibration_error": Value(value=0.121, sd=0.003),
            "interpolation_smoothness": Value(value=0.81, sd=0.01),
        },
        series={
            "reliability": Series(
                x=said, x_label="probability of real, by the discriminator",
                y_label="share of real pictures", lines={"model": true, "calibrated": said},
            )
        },
        pictures={"interpolation": rows},
        warnings=(
            "A precision of 0.56 says little beside a coverage of 0.27: precision alone takes even "
            "uniform noise for real.",
            "The class 'Shirt' is missing: 0.9 % of the generated pictures are taken for it, and "
            "10.0 % of the real ones.",
        ),
    )  # fmt: skip


def _vae(seed: int) -> Findings:
    edges = tuple(np.linspace(-4, 4, 41).tolist())
    bell = tuple(float(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)) for z in edges)
    found = tuple(float(np.exp(-(z**2) / 2.6) / np.sqrt(2.6 * np.pi)) for z in edges)
    shown = real()[seed + 300 : seed + 316]
    return Findings(
        values={
            "elbo": Value(value=623.7, sd=1.4, bar=370.3),
            "iwae": Value(value=631.2, sd=1.4),
            "bits_per_dim": Value(value=6.852, sd=0.003),
            "reconstruction_mse": Value(value=0.01044, sd=0.00008, bar=0.02045),
            "active_units": Value(value=16.0),
            "latent_fit": Value(value=0.061, sd=0.004),
        },
        series={
            "latent_histogram": Series(
                x=edges, x_label="latent", y_label="density",
                lines={"latents": found, "N(0, 1)": bell},
            ),
            "latent_kl": Series(
                x=tuple(str(i) for i in range(32)), x_label="latent", y_label="nats per picture",
                lines={"model": tuple(4.2 * 0.9**i for i in range(32))},
            ),
        },
        pictures={"reconstructions": alternating(shown, drawn(16, seed + 300))},
    )  # fmt: skip


def _ddpm(seed: int) -> Findings:
    linear = tuple(0.9 * np.exp(-t / 130) + 0.001 for t in TIMES)
    model = tuple(0.8 * np.exp(-t / 110) + 0.0016 for t in TIMES)
    clean = real()[seed + 400 : seed + 404].astype(np.float64)
    frames = [
        np.clip(clean * a + 128 * (1 - a) + 90 * (1 - a) * normal(5, clean.shape), 0, 255)
        for a in np.linspace(0, 1, 8)
    ]
    rows = np.stack(frames, axis=1).reshape(-1, 28, 28, 1).astype(np.uint8)
    return Findings(
        values={
            "eps_mse": Value(value=0.0939, sd=0.0006, bar=0.1661),
            "vlb_bits_per_dim": Value(value=3.91, sd=0.02),
        },
        series={
            "eps_mse_by_t": Series(
                x=tuple(map(float, TIMES)), x_label="timestep t", y_label="mean square error",
                lines={"model": model, "best linear denoiser": linear}, log_y=True,
            ),
            "quality_by_steps": Series(
                x=(2.0, 5.0, 10.0, 20.0, 50.0, 100.0), x_label="sampling steps",
                y_label="FD-lenet64-v1", lines={"model": (96.0, 38.0, 17.1, 10.2, 7.84, 7.61)},
                log_x=True,
            ),
        },
        pictures={"trajectory": rows, "steps": _more_steps(clean)},
    )  # fmt: skip


def _more_steps(clean: np.ndarray) -> np.ndarray:
    """Return rows of 8 pictures, each row less noisy than the one above."""
    both = np.concatenate([clean, clean])
    rows = [np.clip(both + s * normal(6, both.shape), 0, 255) for s in (80, 40, 15, 5)]
    return np.concatenate(rows).astype(np.uint8)


def _between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return 8 pictures from one to another."""
    shares = np.linspace(0, 1, 8)[:, None, None, None]
    return np.round((1 - shares) * first + shares * last).astype(np.uint8)
