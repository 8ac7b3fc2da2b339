"""What the metrics see and do not see: ``python benchmarks/controls.py``.

Sets of pictures whose faults are known (noise, blur, a missing class, repeated pictures, ...) are
scored as `kgen evaluate` scores a generator's. Needs Fashion-MNIST.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from kgen import backend

COLUMNS = ("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage",
           "classifier_score")  # fmt: skip
HEADS = ("FD", "KD", "precision", "recall", "density", "coverage", "CS")


def main() -> None:
    """Score every control and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("-n", type=int, default=10_000, help="pictures in a set")
    options = parser.parse_args()
    backend.select(None)
    from kgen import data, device
    from kgen.evaluation.extraction import extractor
    from kgen.evaluation.metrics import distribution

    device.setup()
    look = extractor.pinned()
    real = data.load(options.data, split="test")
    train = data.load(options.data)
    reference = look([real.images.gather(np.arange(len(real)))], len(real))
    last = np.arange(max(len(train) - options.n, 0), len(train))
    pictures, labels = train.images.gather(last), train.labels
    print("| set | " + " | ".join(HEADS) + " |")
    print("|---" * (len(HEADS) + 1) + "|")
    for name, images in controls(pictures, None if labels is None else labels[last]):
        found = distribution.measure(reference, look([images], len(images)), metrics=COLUMNS)
        cells = [found.values[column].value for column in COLUMNS]
        print(f"| {name} | " + " | ".join(f"{cell:.3g}" for cell in cells) + " |", flush=True)


def controls(images: np.ndarray, labels: np.ndarray | None) -> Iterator[tuple[str, np.ndarray]]:
    """Make the sets, each of as many pictures.

    Args:
        images: real ones, uint8 (n, height, width, 1).
        labels: int32 (n,), or None.
    """
    from scipy.ndimage import gaussian_filter

    from kgen import data
    from kgen.evaluation.metrics import gaussian
    from kgen.pictures import to_uint8

    rng, n = np.random.default_rng(0), len(images)
    x = images / 255
    changed: dict[str, Callable[[], np.ndarray]] = {
        "unseen real pictures": lambda: x,
        **{
            f"noise, sd {sd}": lambda sd=sd: x + sd * rng.standard_normal(x.shape)
            for sd in (0.05, 0.1, 0.3)
        },
        **{
            f"blur, sigma {s}": lambda s=s: gaussian_filter(x, (0, s, s, 0))
            for s in (0.5, 1.0, 2.0)
        },
        "8 grey levels": lambda: np.round(x * 7) / 7,
        "flipped": lambda: x[:, :, ::-1],
        "shifted by 3 pixels": lambda: np.roll(x, 3, axis=2),
        "1,000 pictures repeated": lambda: x[np.arange(n) % 1000],
        "100 pictures repeated": lambda: x[np.arange(n) % 100],
        "uniform noise": lambda: rng.random(x.shape),
        "all black": lambda: 0 * x,
    }
    if labels is not None:
        others = np.flatnonzero(labels != 0)
        changed["one class of ten missing"] = lambda: x[others[np.arange(n) % len(others)]]
    for name, make in changed.items():
        yield name, to_uint8(make(), 0.0, 1.0)
    drawn = gaussian.fit_gaussian(data.ArrayImages(images)).draw(n, seed=0)
    yield "Gaussian generator", np.concatenate(list(drawn))


if __name__ == "__main__":
    main()
