"""Data sets: labels that belong to pictures, splits, and sources of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgen.data import ArrayImages, DataSet, SubsetImages, split_validation
from kgen.errors import KgenError


def make(labels: list[int] | None, n: int | None = None, names: tuple[str, ...] | None = None):
    n = len(labels or []) if n is None else n
    images = np.arange(n * 3, dtype=np.uint8).reshape(n, 1, 1, 3)
    array = None if labels is None else np.array(labels, dtype=np.int32)
    return DataSet(
        name="some", images=ArrayImages(images), labels=array, class_names=names, licence="MIT"
    )


def everything(dataset: DataSet) -> list:
    return dataset.images.gather(np.arange(len(dataset))).tolist()


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=80),
    fraction=st.floats(0.01, 0.5),
    seed=st.integers(0, 2**64 - 1),
)
def test_a_split_shares_out_every_picture_once_and_each_class_alike(labels, fraction, seed):
    dataset = make(labels)
    train, validation = split_validation(dataset, fraction, seed)
    assert validation is not None
    assert sorted(everything(train) + everything(validation)) == everything(dataset)
    assert len(validation) == max(1, round(len(labels) * fraction))
    share = len(validation) / len(labels)
    for label in set(labels):
        held_out = int((validation.labels == label).sum())
        assert abs(held_out - share * labels.count(label)) <= 1
    again = split_validation(dataset, fraction, seed)[1]
    assert again is not None
    assert everything(again) == everything(validation)


def test_another_seed_holds_out_other_pictures():
    dataset = make(None, n=80)
    parts = [split_validation(dataset, 0.5, seed)[1] for seed in (0, 1)]
    assert everything(parts[0]) != everything(parts[1])  # type: ignore[arg-type]


def test_labels_follow_their_pictures_into_a_split():
    dataset = make(list(range(20)))
    for part in split_validation(dataset, 0.3, 5):
        assert part is not None
        assert [row[0][0][0] // 3 for row in everything(part)] == part.labels.tolist()
        assert part.licence == "MIT"


def test_nothing_is_held_out_at_fraction_0():
    dataset = make([0, 1])
    assert split_validation(dataset, 0, 0) == (dataset, None)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(KgenError, match="Received: validation="):
        split_validation(make([0, 1]), fraction, 0)


def test_one_picture_cannot_be_split():
    with pytest.raises(KgenError, match="too few pictures"):
        split_validation(make([0]), 0.1, 0)


@pytest.mark.parametrize(
    ("labels", "n", "names"),
    [([0, 1], 3, None), ([0, -1], 2, None), ([0, 2], 2, ("a", "b"))],
    ids=["length", "negative", "above the names"],
)
def test_labels_that_do_not_belong_to_the_pictures_are_refused(labels, n, names):
    with pytest.raises(KgenError, match=r"Received: labels"):
        make(labels, n, names)


def test_classes_are_counted_by_name_or_else_by_label():
    assert make([0, 1], names=("a", "b", "c")).num_classes == 3
    assert make([0, 4]).num_classes == 5
    assert make(None, n=2).num_classes is None


def test_a_subset_of_a_subset_finds_the_same_pictures():
    images = ArrayImages(np.arange(30, dtype=np.uint8).reshape(10, 1, 1, 3))
    subset = SubsetImages(SubsetImages(images, np.array([9, 7, 5, 3])), np.array([2, 0]))
    assert (len(subset), subset.shape) == (2, (1, 1, 3))
    np.testing.assert_array_equal(
        subset.gather(np.array([1, 0, 1])), images.gather(np.array([9, 5, 9]))
    )


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 4, 4, 3), dtype=np.float32),
        np.zeros((2, 4, 4), dtype=np.uint8),
        np.zeros((2, 4, 4, 2), dtype=np.uint8),
        np.zeros((0, 4, 4, 3), dtype=np.uint8),
    ],
    ids=["float", "no channels", "two channels", "none"],
)
def test_an_array_that_is_not_pictures_is_refused(images):
    with pytest.raises(KgenError, match=r"Received: .*shape="):
        ArrayImages(images)
