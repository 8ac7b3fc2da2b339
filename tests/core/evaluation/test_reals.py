"""Which real pictures serve for what: none of them for two things."""

import numpy as np
import pytest
from PIL import Image

from kgen.errors import KgenError
from kgen.evaluation.reals import evenly, load_reals


def rows(dataset):
    return dataset.images.gather(np.arange(len(dataset))).reshape(len(dataset), -1)


def shared(a, b):
    return {row.tobytes() for row in rows(a)} & {row.tobytes() for row in rows(b)}


@pytest.fixture
def pictures(tmp_path):
    """Write 300 different pictures as arrays."""
    path = tmp_path / "pictures.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1)).astype(np.uint8))
    return str(path)


def test_named_data_is_compared_with_its_test_split():
    reals = load_reals("embedded")
    assert (reals.split, len(reals.reference), len(reals.train)) == ("test", 2000, 1800)
    assert shared(reals.train, reals.reference) == set()


def test_other_data_is_compared_with_what_its_run_held_out(pictures):
    reals = load_reals(pictures, validation=0.4, seed=3)
    assert (reals.split, len(reals.reference), len(reals.train)) == ("held out", 120, 180)
    assert shared(reals.train, reals.reference) == set()
    again, other = (load_reals(pictures, validation=0.4, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(rows(reals.reference), rows(again.reference))
    assert (rows(reals.reference) != rows(other.reference)).any()


def test_a_folder_with_a_test_split_is_compared_with_that(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for i in range(130):
            pixels = rng.integers(0, 256, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / split / f"{i}.png")
    reals = load_reals(str(tmp_path))
    assert (reals.split, len(reals.reference), len(reals.train)) == ("test", 130, 117)


def test_nothing_held_out_is_an_error_that_says_what_to_do(pictures):
    with pytest.raises(KgenError, match=r"neither a test split nor a share held out .* --data"):
        load_reals(pictures, validation=0)


def test_too_few_real_pictures_are_an_error_that_says_how_many(pictures):
    with pytest.raises(KgenError, match=r"at least 100 .* Received: 30 held out and 270 training"):
        load_reals(pictures, validation=0.1)


def test_the_last_training_pictures_are_those_that_the_pinned_extractor_has_not_seen():
    reals = load_reals("embedded")
    np.testing.assert_array_equal(
        reals.train_images(7), reals.train.images.gather(np.arange(1793, 1800))
    )
    assert len(reals.train_images()) == 1800


@pytest.mark.parametrize(("count", "most"), [(5, 10), (10, 10), (11, 10), (60_000, 10_000)])
def test_pictures_are_chosen_evenly_and_once(count, most):
    places = evenly(count, most)
    assert len(places) == len(np.unique(places)) == min(count, most)
    assert 0 <= places.min() <= places.max() < count
    steps = np.diff(places)
    assert steps.max() - steps.min() <= 1
