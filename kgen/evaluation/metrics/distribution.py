"""How far generated pictures are from real ones, and how much of that is noise.

Every number is of features (:mod:`kgen.evaluation.extraction.extractor`) and comes with what one
needs to read it: the same for real pictures, the same for the Gaussian generator, its standard
deviation.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from kgen.errors import KgenError
from kgen.evaluation.extraction.features import Features
from kgen.evaluation.metrics.caution import of_classes, of_sizes, of_values
from kgen.evaluation.metrics.frechet import (
    Moments,
    finite_sample_bias,
    frechet_distance,
    frechet_sd,
)
from kgen.evaluation.metrics.kernel import KernelSums, kernel_distance, standardised
from kgen.evaluation.metrics.neighbours import MOST, K, choose, neighbours
from kgen.evaluation.metrics.score import class_counts, classifier_score
from kgen.evaluation.record import Findings, Series, Value
from kgen.option import unknown_name

METRICS = (
    "frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage",
    "classifier_score",
)  # fmt: skip
FEWEST = 4 * K
"""Pictures on each side without which nothing is measured."""
_OF_NEIGHBOURS = frozenset({"precision", "recall", "density", "coverage"})


def measure(
    reference: Features,
    generated: Features,
    *,
    floor: Features | None = None,
    bar: Features | None = None,
    seed: int = 0,
    metrics: Collection[str] | None = None,
    class_names: tuple[str, ...] | None = (),
) -> Findings:
    """Compare generated pictures with real ones by what an extractor sees in both.

    Precision and its kin are of equally many rows on both sides, at most 5,000, chosen by `seed`;
    everything else is of all rows. No other number depends on `seed`.

    Args:
        reference: of real pictures.
        generated: of generated ones.
        floor: of other real pictures, at least as many as `generated`: the rest is left out.
        bar: of pictures drawn by the Gaussian generator, at least as many as `generated`.
        seed: of the choice.
        metrics: names of :data:`METRICS` to compute; None for all.
        class_names: of the classes of the logits; () calls them by number. None: the logits are
            not of the data's classes, and pictures are not counted by them.

    Returns:
        Values by the names of :data:`METRICS`, without the classifier score where there are no
        classes, the series ``class_counts`` where there are, and warnings.

    Raises:
        KgenError: too few pictures, features of two extractors, or an unknown metric.
    """
    wanted = set(METRICS if metrics is None else metrics)
    for name in sorted(wanted - set(METRICS)):
        raise unknown_name("metric", name, list(METRICS))
    others = {"generated": generated, "floor": floor, "bar": bar}
    for name, features in ({"reference": reference} | others).items():
        if features is not None:
            _check(name, features, reference)
    real = _Real.of(reference, seed, wanted)
    values = real.compare(generated, wanted)
    beside: dict[str, dict[str, float]] = {}
    for name, features in (("floor", floor), ("bar", bar)):
        if features is not None:
            found = real.compare(_first(features, len(generated)), wanted, sd=False)
            for key, value in found.items():
                beside.setdefault(key, {})[name] = value.value
    values = {key: replace(value, **beside.get(key, {})) for key, value in values.items()}
    warnings = of_sizes(reference, generated, floor) + of_values(values, len(generated))
    series: dict[str, Series] = {}
    logits = (generated.logits, reference.logits)
    if class_names is not None and logits[0] is not None and logits[1] is not None:
        drawn, expected = _shares(logits[0]), _shares(logits[1])
        names = class_names or tuple(str(i) for i in range(len(expected)))
        warnings += of_classes(names, drawn, expected, len(generated))
        series["class_counts"] = Series(
            x=names,
            x_label="what the classifier takes them for",
            y_label="pictures of 100",
            lines={"generated": tuple(100 * drawn), "real": tuple(100 * expected)},
        )
    return Findings(values=values, series=series, warnings=warnings)


@dataclass(frozen=True, slots=True, eq=False)
class _Real:
    """The real pictures, and what is computed once of them."""

    features: np.ndarray
    moments: Moments
    kernel: KernelSums | None
    seed: int

    @classmethod
    def of(cls, reference: Features, seed: int, wanted: set[str]) -> "_Real":
        x = reference.features
        kernel = KernelSums.of(standardised(x, x)) if "kernel_distance" in wanted else None
        return cls(x, Moments.of(x), kernel, seed)

    def compare(
        self, generated: Features, wanted: set[str], *, sd: bool = True
    ) -> dict[str, Value]:
        """Compute what is wanted of one set of pictures; a standard deviation costs time."""
        x = generated.features
        found: dict[str, Value] = {}
        if "frechet_distance" in wanted:
            found["frechet_distance"] = Value(
                value=frechet_distance(self.moments, Moments.of(x)),
                sd=frechet_sd(self.features, x) if sd else None,
                bias=finite_sample_bias(self.moments.covariance, len(self.features), len(x)),
            )
        if self.kernel is not None:
            sums = KernelSums.of(standardised(x, self.features))
            found["kernel_distance"] = kernel_distance(self.kernel, sums)
        if wanted & _OF_NEIGHBOURS:
            count = min(len(self.features), len(x), MOST)
            ours, theirs = (
                rows[choose(len(rows), count, self.seed)] for rows in (self.features, x)
            )
            near = neighbours(ours, theirs, sd=sd)
            found |= {name: getattr(near, name) for name in _OF_NEIGHBOURS & wanted}
        if "classifier_score" in wanted and generated.logits is not None:
            found["classifier_score"] = classifier_score(generated.logits)
        return {name: found[name] for name in METRICS if name in found}


def _check(name: str, features: Features, reference: Features) -> None:
    """Refuse features that nothing can be said of."""
    found = features.features
    if len(found) < FEWEST:
        raise KgenError(
            f"Numbers about a distribution take at least {FEWEST} pictures on each side. "
            f"Received: {name} of {len(found)}. Give more."
        )
    if found.shape[1:] != reference.features.shape[1:]:
        raise KgenError(
            f"Only features of one extractor compare: expected {reference.features.shape[1]} "
            f"of each picture. Received: {found.shape[1]} in {name}."
        )
    if not np.isfinite(found).all():
        raise KgenError(f"Features are finite numbers. Received: NaN or infinity in {name}.")


def _first(features: Features, n: int) -> Features:
    """Keep n pictures at most, so that their number is the generated ones'."""
    logits = None if features.logits is None else features.logits[:n]
    return Features(features=features.features[:n], logits=logits)


def _shares(logits: np.ndarray) -> np.ndarray:
    """Return the share of the pictures that is taken for each class, float64 (classes,)."""
    return class_counts(logits) / len(logits)
