"""What generators, discriminators and encoders minimise: functions of tensors, in float32.

The GAN losses take logits and use ``softplus``: ``log(sigmoid(l)) = -softplus(-l)`` and
``log(1 - sigmoid(l)) = -softplus(l)``, which neither overflow nor take the logarithm of 0. In all
of them D(x) = sigmoid(logits), logits are float of any shape, (B,) or (B, 1), and the result is a
scalar in nats.
"""

from collections.abc import Callable
from typing import Any

from keras import ops


def _mean_softplus(logits: Any) -> Any:
    return ops.mean(ops.softplus(ops.cast(logits, "float32")))


def _difference(a: Any, b: Any) -> Any:
    return ops.cast(a, "float32") - ops.cast(b, "float32")


def minimax_discriminator(real_logits: Any, fake_logits: Any) -> Any:
    """Train D to tell real from fake: ``-(E log D(x) + E log(1 - D(G(z))))``.

    Minus the value of the game, so D minimises it. At D's optimum for a given G it is
    ``log 4 - 2 JS(p, q)``: log 4 = 1.386 when fakes are indistinguishable, 0 when disjoint.

    Source: Goodfellow et al. (2014), eq. 1; eq. 2 and theorem 1 for the optimum.
    """
    return _mean_softplus(-real_logits) + _mean_softplus(fake_logits)


def minimax_generator(fake_logits: Any) -> Any:
    """Train G to play the original game: ``E log(1 - D(G(z)))``, minimised.

    Its gradient vanishes while D rejects every fake, which is how training starts: hence
    "saturating", and hence :func:`non_saturating_generator`.

    Source: Goodfellow et al. (2014), eq. 1 and Algorithm 1.
    """
    return -_mean_softplus(fake_logits)


def non_saturating_generator(fake_logits: Any) -> Any:
    """Train G by a strong gradient from the start: ``-E log D(G(z))``, minimised.

    The same fixed point as the game's, reached with a gradient that is largest where D is sure.

    Source: Goodfellow et al. (2014), section 3.
    """
    return _mean_softplus(-fake_logits)


def relativistic_discriminator(real_logits: Any, fake_logits: Any) -> Any:
    """Train D to tell which of two pictures is the real one: ``-E log sigmoid(l_real - l_fake)``.

    Each real picture is compared with one fake. At D's optimum for a given G it is
    ``log 2 - JS(p q, q p)``, of the pair and of the pair in the wrong order: log 2 = 0.693 when
    fakes are indistinguishable. The best logit is that of :func:`minimax_discriminator` plus any
    constant, which no difference shows.

    Source: Jolicoeur-Martineau (2019), section 4.1; the game of Huang et al. (2024), eq. 2.

    Args:
        real_logits: float (B,) or (B, 1).
        fake_logits: same shape, one for each real picture.
    """
    return _mean_softplus(_difference(fake_logits, real_logits))


def relativistic_generator(real_logits: Any, fake_logits: Any) -> Any:
    """Train G so that D takes the fake for the real one: ``-E log sigmoid(l_fake - l_real)``.

    The same game with the labels turned round, as the non-saturating loss is for the first one: its
    gradient is largest where D is sure.

    Source: Jolicoeur-Martineau (2019), section 4.1. Eq. 2 of Huang et al. (2024) is zero-sum: G
    minimises minus D's loss there; their program has this one.
    """
    return _mean_softplus(_difference(real_logits, fake_logits))


def gradient_penalty(logits: Any, moved_logits: Any, distance: float) -> Any:
    """Keep D smooth where the data are, by its slope along one random direction per picture.

    ``E ((l(x + distance * u) - l(x)) / distance)^2 / 2`` with u ~ N(0, I). For small distances it
    is ``E |grad l(x)|^2 / 2``, the R1 penalty, whose gradient needs no second derivative here: a
    difference of two logits has only first ones.

    Source: Mescheder et al. (2018), eq. 9 (R1); Lin et al. (2025), "approximated R1".

    Args:
        logits: D's logits of real pictures, float (B,) or (B, 1).
        moved_logits: of the same pictures plus ``distance * u``, same shape.
        distance: standard deviation of the move, in units of the pixels.

    Returns:
        float32 scalar, to be multiplied by the penalty's weight gamma.
    """
    logits, moved_logits = (ops.cast(v, "float32") for v in (logits, moved_logits))
    return 0.5 * ops.mean(ops.square((moved_logits - logits) / distance))


GENERATOR_LOSSES: dict[str, Callable[[Any], Any]] = {
    "minimax": minimax_generator,
    "non_saturating": non_saturating_generator,
}


def kl_standard_normal(mean: Any, logvar: Any) -> Any:
    """Keep an encoder near the prior: KL(N(mean, exp(logvar)) || N(0, I)), never negative.

    ``0.5 * sum(exp(logvar) + mean * mean - 1 - logvar)``. The paper prints minus this, the term as
    it enters the bound that is maximised; a loss adds it as it is here.

    Source: Kingma & Welling (2014), appendix B and eq. 10.

    Args:
        mean: float (B, L).
        logvar: float (B, L), natural logarithm of the variance.

    Returns:
        float32 (B,), nats, summed over latents: a mean over them would not bound the likelihood.
    """
    mean, logvar = ops.cast(mean, "float32"), ops.cast(logvar, "float32")
    # expm1: near logvar = 0, exp(logvar) - 1 would lose the digits that are left of the KL.
    return 0.5 * ops.sum(ops.expm1(logvar) - logvar + mean * mean, axis=-1)
