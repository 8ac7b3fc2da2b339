"""What the pinned extractor's numbers say of pictures whose faults are known, in their order."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from kgen.data import ArrayImages, load
from kgen.evaluation.extraction import extractor
from kgen.evaluation.extraction.features import Features
from kgen.evaluation.metrics.distribution import measure
from kgen.evaluation.metrics.gaussian import fit_gaussian
from kgen.evaluation.record import Findings

pytestmark = pytest.mark.backend
HALF = 1000


@cache
def halves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 1,000 embedded pictures to compare with, 1,000 others, and the others' labels."""
    data = load("embedded")
    order = np.random.default_rng(0).permutation(len(data))
    images, labels = data.images.gather(order), data.labels
    assert labels is not None
    return images[:HALF], images[HALF:], labels[order][HALF:]


def rounded(x: np.ndarray) -> np.ndarray:
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def controls() -> dict[str, np.ndarray]:
    reference, x, labels = halves()
    rng = np.random.default_rng(0)
    kept = np.flatnonzero(labels != 1)
    return {
        "real": x,
        **{f"noise {s}": rounded(x + 255 * s * rng.standard_normal(x.shape)) for s in (0.1, 0.3)},
        **{f"blur {s}": rounded(ndimage.gaussian_filter(x * 1.0, (0, s, s, 0))) for s in (0.5, 1)},
        "missing": x[kept[np.arange(HALF) % len(kept)]],
        "repeated": x[np.arange(HALF) % 100],
        "uniform": rng.integers(0, 256, x.shape, dtype=np.uint8),
        "gaussian": np.concatenate(list(fit_gaussian(ArrayImages(reference)).draw(HALF, 0))),
    }


@pytest.fixture(scope="module")
def found() -> dict[str, Findings]:
    """Measure every control; once for each backend."""
    look = extractor.pinned()

    def features(images: np.ndarray) -> Features:
        return look([images], len(images))

    reference = features(halves()[0])
    sets = {name: features(images) for name, images in controls().items()}
    return {name: measure(reference, x, floor=sets["real"]) for name, x in sets.items()}


def ordered(found: dict[str, Findings], metric: str, *names: str) -> bool:
    values = [found[name].values[metric].value for name in names]
    return values == sorted(values) and len(set(values)) == len(values)


def test_the_distances_grow_with_the_fault(found):
    for metric in ("frechet_distance", "kernel_distance"):
        assert ordered(found, metric, "real", "noise 0.1", "noise 0.3", "uniform")
        assert ordered(found, metric, "real", "blur 0.5", "blur 1")
        assert ordered(found, metric, "real", "gaussian", "uniform")
        assert ordered(found, metric, "real", "missing", "gaussian")


def test_repeating_a_hundred_real_pictures_is_near_by_distance_and_covers_nothing(found):
    assert ordered(found, "frechet_distance", "real", "repeated", "noise 0.1")
    repeated = found["repeated"].values
    assert repeated["precision"].value > 0.8
    assert repeated["recall"].value < 0.05
    assert repeated["coverage"].value < 0.5 * found["real"].values["coverage"].value
    assert "collapsed" in " ".join(found["repeated"].warnings)
    assert "collapsed" not in " ".join(found["real"].warnings)


def test_coverage_and_recall_fall_with_the_fault(found):
    for metric in ("coverage", "recall"):
        assert ordered(found, metric, "uniform", "noise 0.3", "noise 0.1", "real")
        assert ordered(found, metric, "blur 1", "blur 0.5", "real")
    assert ordered(found, "coverage", "gaussian", "real")


def test_the_classifier_score_falls_with_the_fault(found):
    assert ordered(found, "classifier_score", "uniform", "noise 0.3", "noise 0.1", "real")
    assert ordered(found, "classifier_score", "uniform", "gaussian", "blur 0.5", "real")


def test_the_missing_class_is_named(found):
    (said,) = [w for w in found["missing"].warnings if "taken for" in w]
    assert said.startswith("Hardly a generated picture is taken for: 1 (")
    assert not any("taken for" in w for w in found["real"].warnings)
