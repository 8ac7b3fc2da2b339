"""What a classifier makes of generated pictures: how sure it is, and of how many classes."""

import numpy as np

from kgen.evaluation.record import Value


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return ``p(y | x)``, float64 (n, classes), of logits of the same shape."""
    x = logits.astype(np.float64)
    x = np.exp(x - x.max(axis=1, keepdims=True))
    return x / x.sum(axis=1, keepdims=True)


def classifier_score(logits: np.ndarray) -> Value:
    """Say whether pictures look like something, and like different things: 1 to the classes.

    ``exp(mean KL(p(y | x) || p(y)))``, where p(y) is the mean of p(y | x). It is the formula of the
    Inception Score with another classifier. It never sees a real picture, and two pictures of each
    class are enough for the best score.

    Its standard deviation is the influence's: to first order, an error of p(y) changes nothing.

    Source: Salimans et al. (2016), section 4; Barratt & Sharma (2018) for what it cannot say.

    Args:
        logits: (n, classes), n >= 2.
    """
    p = probabilities(logits)
    marginal = p.mean(axis=0)
    # A class of probability 0 contributes 0, the limit of p log p.
    logs = np.log(np.where(p > 0, p, 1.0)) - np.log(np.where(marginal > 0, marginal, 1.0))
    divergence = (p * logs).sum(axis=1)
    value = float(np.exp(divergence.mean()))
    return Value(value=value, sd=value * float(divergence.std(ddof=1)) / len(p) ** 0.5)


def class_counts(logits: np.ndarray) -> np.ndarray:
    """Count the pictures that the classifier takes for each class, int64 (classes,)."""
    return np.bincount(logits.argmax(axis=1), minlength=logits.shape[1])
