"""Every number, drawing and set of pictures has its words."""

import re

import pytest

from kgen.errors import KgenError
from kgen.evaluation.report import catalogue
from kgen.evaluation.report.entry import GROUPS
from tests.core.evaluation import records

# The names that evaluations use, written out: a renamed entry must not go unnoticed.
VALUES = {
    "frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage",
    "classifier_score", "nearest_train", "copies", "duplicates", "elbo", "iwae", "bits_per_dim",
    "iwae_bits_per_dim", "reconstruction_mse", "active_units", "latent_fit", "eps_mse",
    "vlb_bits_per_dim", "d_accuracy_real", "d_accuracy_fake",
    "d_calibration_error", "interpolation_smoothness",
}  # fmt: skip
SERIES = {
    "class_counts", "eps_mse_by_t", "quality_by_steps", "vlb_by_t", "latent_histogram",
    "latent_kl", "reliability",
}  # fmt: skip
PICTURES = {"samples", "closest", "reconstructions", "interpolation", "trajectory", "steps"}


def test_the_catalogue_is_complete():
    assert catalogue.VALUES.keys() >= VALUES
    assert catalogue.SERIES.keys() >= SERIES
    assert catalogue.PICTURES.keys() >= PICTURES


@pytest.mark.parametrize("name", sorted(catalogue.VALUES))
def test_every_number_can_be_read(name):
    entry = catalogue.value(name, "lenet64-v1")
    assert entry.group in GROUPS
    assert (entry.better == "near") == (entry.target is not None)
    assert entry.write(0.1234)
    assert "{" not in entry.label
    for sentence in (entry.reading, entry.caveat):
        assert re.fullmatch(r"[A-ZU0-9].+\.", sentence, re.DOTALL)
    assert entry.source


def test_labels_are_told_apart():
    labels = [catalogue.value(name, "x").label for name in catalogue.VALUES]
    assert len(labels) == len(set(labels))


def test_distances_carry_their_extractor_and_are_never_called_fid():
    for name in ("frechet_distance", "kernel_distance", "classifier_score"):
        assert "lenet64-v1" in catalogue.value(name, "lenet64-v1").label
    for entry in catalogue.VALUES.values():
        assert not re.search(r"\b(FID|KID)\b", entry.label)


def test_what_misleads_alone_says_so():
    said = {name: catalogue.value(name, "x").caveat for name in catalogue.VALUES}
    assert "uniform noise" in said["precision"]
    assert "mode collapse" in said["frechet_distance"]
    assert "Above 1 is not better" in said["density"]


@pytest.mark.parametrize(
    "read",
    [lambda name: catalogue.value(name, "x"), catalogue.series, catalogue.pictures],
    ids=["value", "series", "pictures"],
)
def test_what_the_catalogue_does_not_know_is_refused_in_words(read):
    with pytest.raises(KgenError, match="Received: name='sharpness'"):
        read("sharpness")


@pytest.mark.parametrize(
    ("better", "target", "good", "bad"),
    [("lower", None, 1.0, 2.0), ("higher", None, 2.0, 1.0), ("near", 1.0, 1.1, 0.8)],
)
def test_badness_orders_numbers(better, target, good, bad):
    entry = next(
        e for e in catalogue.VALUES.values() if e.better == better and e.target in (None, target)
    )
    assert entry.badness(good) < entry.badness(bad)


def test_the_records_of_these_tests_use_every_drawing_and_set_of_pictures_but_one():
    made = [records.record(family).findings for family in ("gan", "vae", "ddpm")]
    assert {name for f in made for name in f.pictures} == PICTURES
    assert SERIES - {name for f in made for name in f.series} == {"vlb_by_t"}
