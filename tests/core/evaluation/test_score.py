"""The classifier score against golden values and Monte Carlo."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kgen.evaluation.metrics.score import class_counts, classifier_score, probabilities
from tests.golden.values import GOLDEN

SCORE = GOLDEN["metrics"]["inception_score"]


def test_it_is_golden():
    logits = np.log(SCORE["p_y_given_x"]) + 3.0  # a constant in all logits means nothing
    assert_allclose(classifier_score(logits).value, SCORE["value"], rtol=1e-12)


def test_its_extremes_are_one_and_the_number_of_classes():
    sure = 1e4 * np.eye(10, dtype=np.float32)  # other classes have probability 0 exactly
    assert_allclose(classifier_score(sure).value, SCORE["one_hot_uniform_K10"], rtol=1e-12)
    same = np.tile(np.arange(10.0), (7, 1))
    found = classifier_score(same)
    assert_allclose(found.value, SCORE["constant_prediction"], rtol=1e-12)
    assert_allclose(found.sd, 0.0, atol=1e-12)


def test_probabilities_of_large_logits_are_finite():
    found = probabilities(np.array([[1e30, 0.0, -1e30]], dtype=np.float32))
    assert found.tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.parametrize("sharpness", [0.5, 2.0, 8.0])
def test_the_standard_deviation_is_that_over_draws(sharpness):
    rng = np.random.default_rng(0)
    found = [classifier_score(sharpness * rng.standard_normal((300, 6))) for _ in range(300)]
    true = np.std([f.value for f in found])
    # Known to 4 %, and an error of p(y) counts in the second order only.
    assert_allclose(np.sqrt(np.mean([f.sd**2 for f in found if f.sd])), true, rtol=0.15)


def test_classes_are_counted_by_the_largest_logit():
    logits = np.array([[0, 1, 0], [0, 2, 1], [3, 0, 0]])
    assert class_counts(logits).tolist() == [1, 2, 0]
