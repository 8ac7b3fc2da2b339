"""Sentences about numbers that mislead when they are read alone."""

from collections.abc import Mapping

import numpy as np

from kgen.evaluation.extraction.features import Features
from kgen.evaluation.record import Value

MISSING = 1 / 4
"""A class is missing where it is met less than this often, compared with the real pictures: a
classifier takes some pictures of other classes for it."""
COLLAPSED = 0.05
"""Recall at or below this, where real pictures have ten times as much, is a collapse."""
MISLEADING = 0.4
"""Precision above this must not be read alone: uniform noise can have 0.8."""
_EXPECTED = 20  # pictures of a class that must be expected before it is called missing


def of_sizes(reference: Features, generated: Features, floor: Features | None) -> tuple[str, ...]:
    """Say where there are too few pictures for what is computed."""
    n, m, d = len(generated), len(reference), reference.features.shape[1]
    said = []
    if min(n, m) <= d:
        said.append(
            f"The Fréchet distance of {d} features takes more pictures than that on each side "
            f"({n:,} generated, {m:,} real): look at the kernel distance and the coverage instead."
        )
    if floor is not None and len(floor) < n:
        said.append(
            f"The floor is of {len(floor):,} real pictures, fewer than the {n:,} generated: with "
            "as many it would be lower."
        )
    return tuple(said)


def of_values(values: Mapping[str, Value], n: int) -> tuple[str, ...]:
    """Say where a number says something else than it seems to."""
    said = []
    frechet = values.get("frechet_distance")
    if frechet is not None:
        said += _of_frechet(frechet, n)
    precision, recall, coverage = (values.get(k) for k in ("precision", "recall", "coverage"))
    if recall is not None and _far_below(recall, COLLAPSED):
        said.append(
            f"Hardly a real picture resembles what is generated (recall {recall.value:.2f}): the "
            "generator has collapsed to few pictures, or draws something else."
        )
    elif coverage is not None and _far_below(coverage, 2 * COLLAPSED):
        said.append(
            f"Hardly a real picture has a generated one near it (coverage {coverage.value:.2f}): "
            "the generator has collapsed to few pictures, or draws something else."
        )
    if precision is None or coverage is None:
        return tuple(said)
    if precision.value > max(MISLEADING, 2 * coverage.value):
        said.append(
            f"A precision of {precision.value:.2f} says little beside a coverage of "
            f"{coverage.value:.2f}: precision alone can take even uniform noise for real."
        )
    return tuple(said)


def _of_frechet(frechet: Value, n: int) -> list[str]:
    said = []
    if frechet.bias is not None and frechet.bias > frechet.value / 2:
        said.append(
            f"A Fréchet distance of about {frechet.bias:.2g} is expected of so few pictures alone "
            f"({n:,} generated): only more of them can tell {frechet.value:.3g} from "
            "that of real ones."
        )
    if frechet.floor is not None and frechet.value < frechet.floor:
        said.append(
            f"The Fréchet distance {frechet.value:.3g} is below that of real pictures "
            f"({frechet.floor:.3g}): that is noise, or a leak of the reference into what was "
            "trained on, not better than real."
        )
    if frechet.bar is not None and frechet.value > frechet.bar:
        said.append(
            f"The Fréchet distance {frechet.value:.3g} is above that of the Gaussian generator "
            f"({frechet.bar:.3g}), which only knows the pixels' mean and covariance."
        )
    return said


def of_classes(
    names: tuple[str, ...], generated: np.ndarray, real: np.ndarray, n: int
) -> tuple[str, ...]:
    """Say which classes are missing among n generated pictures.

    Args:
        names: of the classes.
        generated: share of the generated pictures that is taken for each class, (classes,).
        real: the same of the real ones.
        n: generated pictures.
    """
    missing = np.flatnonzero((generated < MISSING * real) & (real * n >= _EXPECTED))
    if not missing.size:
        return ()
    some = ", ".join(
        f"{names[i]} ({100 * generated[i]:.1f} % of them, {100 * real[i]:.1f} % of the real ones)"
        for i in missing
    )
    return (f"Hardly a generated picture is taken for: {some}.",)


def _far_below(value: Value, limit: float) -> bool:
    """Say whether a share is small, and that of real pictures, if known, is not."""
    return value.value <= limit and (value.floor is None or value.floor >= 10 * value.value)
