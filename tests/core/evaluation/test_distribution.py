"""What is measured beside what, what is left out, and the sentences about it."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kgen.errors import KgenError
from kgen.evaluation.extraction.features import Features
from kgen.evaluation.metrics.distribution import METRICS, measure
from kgen.evaluation.metrics.frechet import Moments, frechet_distance
from kgen.evaluation.metrics.kernel import KernelSums, kernel_distance, standardised
from kgen.evaluation.metrics.neighbours import neighbours
from kgen.evaluation.metrics.score import classifier_score


def seen(n: int, seed: int, scale=1.0, shift=0.0, classes: int | None = 3) -> Features:
    rng = np.random.default_rng(seed)
    logits = 4 * rng.standard_normal((n, classes)).astype(np.float32) if classes else None
    return Features(
        features=(shift + scale * rng.standard_normal((n, 8))).astype(np.float32), logits=logits
    )


def repeated(features: Features, times: int) -> Features:
    logits = None if features.logits is None else np.tile(features.logits, (times, 1))
    return Features(features=np.tile(features.features, (times, 1)), logits=logits)


def test_every_value_is_that_of_its_own_module():
    real, fake, other = seen(200, 0), seen(200, 1, 1.2), seen(200, 2)
    found = measure(real, fake, floor=other).values
    assert tuple(found) == METRICS
    x, y = real.features, fake.features
    assert found["frechet_distance"].value == frechet_distance(Moments.of(x), Moments.of(y))
    kernel = kernel_distance(KernelSums.of(standardised(x, x)), KernelSums.of(standardised(y, x)))
    assert_allclose(found["kernel_distance"].value, kernel.value, rtol=1e-12)
    near = neighbours(x, y, sd=False)
    # The order of the rows decides the order of sums only, and these are of counts.
    assert_allclose(found["density"].value, near.density.value, rtol=1e-12)
    assert_allclose(found["recall"].value, near.recall.value, rtol=1e-12)
    assert fake.logits is not None
    assert found["classifier_score"].value == classifier_score(fake.logits).value
    assert found["frechet_distance"].floor == frechet_distance(
        Moments.of(x), Moments.of(other.features)
    )


def test_the_floor_and_the_bar_are_of_as_many_pictures_as_are_generated():
    real, fake, more, bar = seen(200, 0), seen(100, 1), seen(300, 2), seen(300, 3, 2.0)
    found = measure(real, fake, floor=more, bar=bar).values["frechet_distance"]
    cut = [Moments.of(x.features[:100]) for x in (more, bar)]
    expected = [frechet_distance(Moments.of(real.features), m) for m in cut]
    assert [found.floor, found.bar] == expected


def test_the_seed_changes_nothing_where_all_rows_are_looked_at():
    real, fake = seen(150, 0), seen(150, 1, 1.2)
    a, b = (measure(real, fake, seed=seed).values for seed in (0, 1))
    for name in METRICS:
        assert_allclose(a[name].value, b[name].value, rtol=1e-12)


def test_the_number_of_pictures_moves_the_distance_by_no_more_than_its_bias():
    real = seen(4000, 0)
    found = [measure(real, seen(n, 1), metrics=["frechet_distance"]) for n in (500, 1000, 4000)]
    for value in (f.values["frechet_distance"] for f in found):
        assert value.bias is not None
        assert value.sd is not None
        assert abs(value.value - value.bias) < 4 * value.sd
    one = [measure(real, seen(n, 1, 1.3), metrics=["kernel_distance"]) for n in (500, 4000)]
    few, many = (f.values["kernel_distance"] for f in one)
    assert few.sd is not None
    assert abs(few.value - many.value) < 4 * few.sd


def test_only_what_is_asked_for_is_computed():
    found = measure(seen(60, 0), seen(60, 1), metrics=["coverage", "precision"])
    assert set(found.values) == {"precision", "coverage"}
    with pytest.raises(KgenError, match="Did you mean 'coverage'"):
        measure(seen(60, 0), seen(60, 1), metrics=["covrage"])


def test_without_classes_there_is_no_score_and_no_count():
    found = measure(seen(60, 0, classes=None), seen(60, 1, classes=None))
    assert "classifier_score" not in found.values
    assert found.series == {}


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(KgenError, match="generated of 10"):
        measure(seen(60, 0), seen(10, 1))
    other = Features(features=np.zeros((60, 5), np.float32), logits=None)
    with pytest.raises(KgenError, match=r"expected 8 .*Received: 5 in floor"):
        measure(seen(60, 0), seen(60, 1), floor=other)
    broken = Features(features=np.full((60, 8), np.nan, np.float32), logits=None)
    with pytest.raises(KgenError, match="NaN or infinity in generated"):
        measure(seen(60, 0), broken)


def test_numbers_of_degenerate_sets_are_finite():
    constant = Features(features=np.zeros((60, 8), np.float32), logits=np.zeros((60, 3)))
    for real, fake in ((seen(60, 0), constant), (constant, constant), (constant, seen(60, 0))):
        found = measure(real, fake, floor=real, bar=fake)
        json.dumps([asdict(v) for v in found.values.values()], allow_nan=False)


def test_other_draws_of_the_same_distribution_call_for_no_warning_but_of_their_number():
    found = measure(seen(2000, 0), seen(2000, 1), floor=seen(2000, 2), bar=seen(2000, 3, 1.5))
    assert [w for w in found.warnings if "so few pictures" not in w and "below" not in w] == []


def test_repeated_pictures_are_called_a_collapse_and_their_precision_misleading():
    found = measure(seen(1000, 0), repeated(seen(10, 1), 100), floor=seen(1000, 2))
    text = " ".join(found.warnings)
    assert found.values["frechet_distance"].value > 0
    assert "collapsed" in text
    assert "precision alone" in text


def test_a_missing_class_is_named():
    real, fake = seen(1000, 0), seen(1000, 1)
    assert fake.logits is not None
    fake.logits[:, 1] -= 50
    found = measure(real, fake, class_names=("shirt", "bag", "boot"))
    (said,) = [w for w in found.warnings if "Hardly a generated picture is taken for" in w]
    assert "bag (0.0 % of them" in said
    assert "shirt" not in said
    counts = found.series["class_counts"]
    assert counts.x == ("shirt", "bag", "boot")
    assert_allclose([sum(line) for line in counts.lines.values()], 100.0)
    assert counts.lines["generated"][1] == 0.0


def test_too_few_pictures_below_the_floor_and_above_the_bar_are_said():
    few = " ".join(measure(seen(60, 0), seen(60, 1)).warnings)
    assert "so few pictures" in few
    real = seen(400, 0)
    below = " ".join(measure(real, real, floor=seen(400, 2)).warnings)
    assert "a leak" in below
    above = " ".join(measure(real, seen(400, 1, 3.0), bar=seen(400, 2, 1.1)).warnings)
    assert "above that of the Gaussian generator" in above
    short = " ".join(measure(real, seen(400, 1), floor=seen(100, 2)).warnings)
    assert "The floor is of 100 real pictures, fewer than the 400" in short
