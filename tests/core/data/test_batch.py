"""The order of an epoch and its batches: properties that resuming and all backends rely on."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgen.data import ArrayImages, Batches, DataSet, epoch_order
from kgen.errors import KgenError
from kgen.noise import philox

seeds = st.integers(0, 2**64 - 1)


def numbered(n: int, *, labelled: bool = True) -> DataSet:
    """Make pictures whose first two pixels spell their number."""
    images = np.zeros((n, 2, 2, 1), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.arange(n) % 256, np.arange(n) // 256
    labels = np.arange(n, dtype=np.int32) if labelled else None
    return DataSet(
        name="numbers", images=ArrayImages(images), labels=labels, class_names=None, licence=None
    )


def numbers(images: np.ndarray) -> np.ndarray:
    return images[:, 0, 0, 0].astype(int) + 256 * images[:, 0, 1, 0].astype(int)


@given(n=st.integers(0, 300), seed=seeds, epoch=seeds)
def test_the_order_is_a_permutation_and_a_pure_function(n, seed, epoch):
    order = epoch_order(n, seed, epoch)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, epoch_order(n, seed, epoch))


def test_the_order_ranks_numbers_of_a_stream_that_is_fixed_for_ever():
    # test_noise.py holds the stream to Philox's published numbers.
    raw = philox(42, 7, domain=1).random_raw(50).tolist()
    ranked = sorted(range(50), key=lambda i: raw[i])
    np.testing.assert_array_equal(epoch_order(50, 42, 7), ranked)


def test_the_order_is_the_same_in_another_process():
    code = "from kgen.data import epoch_order; print(epoch_order(20, 3, 1).tolist())"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert printed.stdout.strip() == str(epoch_order(20, 3, 1).tolist())


def test_every_picture_comes_equally_often_at_every_place():
    n, epochs = 8, 4000
    places = np.stack([epoch_order(n, 0, epoch) for epoch in range(epochs)])
    counts = np.stack([np.bincount(column, minlength=n) for column in places.T])
    # Chi-squared with (n - 1)^2 = 49 degrees of freedom; its 0.999 quantile is 85.4.
    expected = epochs / n
    assert ((counts - expected) ** 2 / expected).sum() < 85.4


@given(n=st.integers(1, 200), data=st.data(), seed=seeds, epoch=st.integers(0, 10**6))
def test_an_epoch_has_each_picture_at_most_once_and_whole_batches(n, data, seed, epoch):
    batch_size = data.draw(st.integers(1, n))
    batches = Batches(numbered(n), batch_size, seed)
    assert batches.steps_per_epoch == n // batch_size
    seen = []
    for step in range(batches.steps_per_epoch):
        images, labels = batches.batch(epoch, step)
        assert images.shape == (batch_size, 2, 2, 1)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(numbers(images), labels)
        seen.extend(labels.tolist())
    np.testing.assert_array_equal(seen, epoch_order(n, seed, epoch)[: len(seen)])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20))
def test_a_batch_does_not_depend_on_what_was_asked_before(visits):
    used = Batches(numbered(20), 4, 9)
    for epoch, step in visits:
        fresh = Batches(numbered(20), 4, 9)
        np.testing.assert_array_equal(used.batch(epoch, step)[1], fresh.batch(epoch, step)[1])


def test_labels_are_zeros_where_there_are_none():
    labels = Batches(numbered(6, labelled=False), 4, 0).batch(0, 0)[1]
    np.testing.assert_array_equal(labels, np.zeros(4, dtype=np.int32))
    assert labels.dtype == np.int32


def test_changing_a_batch_does_not_change_the_data():
    batches = Batches(numbered(6), 6, 0)
    images, labels = batches.batch(0, 0)
    before = images.copy(), labels.copy()
    images[:], labels[:] = 0, 0
    for again, original in zip(batches.batch(0, 0), before, strict=True):
        np.testing.assert_array_equal(again, original)


@pytest.mark.parametrize("batch_size", [0, 7, -1])
def test_a_batch_larger_than_the_data_or_empty_is_refused(batch_size):
    with pytest.raises(KgenError, match=r"1 to the number of pictures \(6 .* batch_size="):
        Batches(numbered(6), batch_size, 0)


@pytest.mark.parametrize("step", [-1, 3])
def test_a_step_outside_the_epoch_is_an_error(step):
    with pytest.raises(IndexError, match="step takes 0 to 2"):
        Batches(numbered(6), 2, 0).batch(0, step)
