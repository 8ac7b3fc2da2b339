"""IDX: what is written by the format's description is read back; everything else is refused."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp

from kgen.data import load
from kgen.data.idx import read_idx
from kgen.errors import KgenError


@pytest.mark.parametrize("packed", [False, True])
@given(array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0)))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_array_of_bytes_is_read_back(tmp_path, as_idx, packed, array):
    path = tmp_path / ("file.gz" if packed else "file")
    path.write_bytes(gzip.compress(as_idx(array), 1) if packed else as_idx(array))
    np.testing.assert_array_equal(read_idx(path), array, strict=True)


@pytest.mark.parametrize("packed", [False, True])
@given(cut=...)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_cut_short_anywhere_is_refused(tmp_path, as_idx, packed, cut: int):
    whole = as_idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    whole = gzip.compress(whole) if packed else whole
    path = tmp_path / ("file.gz" if packed else "file")
    path.write_bytes(whole[: cut % len(whole)])
    with pytest.raises(KgenError) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_the_splits_of_a_folder_are_read_packed_or_not(idx_folder, pixels):
    train, test = load(str(idx_folder)), load(str(idx_folder), split="test")
    assert (train.name, len(train), len(test)) == ("digits", 12, 4)
    assert train.images.shape == (10, 10, 1)
    np.testing.assert_array_equal(train.images.gather(np.arange(12))[..., 0], pixels)
    np.testing.assert_array_equal(test.images.gather(np.arange(4))[..., 0], pixels[:4])
    np.testing.assert_array_equal(train.labels, np.arange(12) % 3)
    assert train.labels is not None
    assert train.labels.dtype == np.int32


def test_an_unpacked_file_beside_the_packed_one_is_not_a_second_data_set(idx_folder):
    packed = idx_folder / "train-images-idx3-ubyte.gz"
    (idx_folder / "train-images-idx3-ubyte").write_bytes(gzip.decompress(packed.read_bytes()))
    assert len(load(str(idx_folder))) == 12


def test_labels_are_optional(idx_folder):
    (idx_folder / "train-labels-idx1-ubyte.gz").unlink()
    assert load(str(idx_folder)).labels is None


def test_other_spellings_and_colour_are_read(tmp_path, as_idx):
    colour = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    (tmp_path / "things-train-images.idx4-ubyte").write_bytes(as_idx(colour))
    (tmp_path / "things-train-labels.idx1-ubyte").write_bytes(as_idx(np.array([1, 0], np.uint8)))
    dataset = load(str(tmp_path))
    np.testing.assert_array_equal(dataset.images.gather(np.arange(2)), colour)
    np.testing.assert_array_equal(dataset.labels, [1, 0])


HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file.*\(none\)"),
        (b"\x89PNG....", "not an IDX file.*89 50 4e 47"),
        (bytes([0, 0, 13, 3]) + HEADER[4:], "unsigned bytes.*type=0x0d"),
        (HEADER[:10], "cut short within its header"),
        (HEADER + b"abc", "cut short of the 4 bytes"),
        (HEADER + b"abcde", "goes on after the 4 bytes"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"abc", "cut short of"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 2]) + b"ab", r"must have shape .*shape=\(2,\)"),
        (bytes([0, 0, 8, 3]) + bytes(12), "ubyte.*no pictures"),
    ],
    ids=["empty", "magic", "type", "header", "short", "long", "huge", "dimensions", "zero"],
)
def test_a_broken_file_is_refused_with_the_reason(idx_folder, content, message):
    (idx_folder / "train-labels-idx1-ubyte.gz").unlink()
    (idx_folder / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(KgenError, match=message):
        load(str(idx_folder))


def test_a_file_that_only_claims_to_be_packed_is_refused(idx_folder):
    (idx_folder / "train-images-idx3-ubyte.gz").write_bytes(HEADER + b"abcd")
    with pytest.raises(KgenError, match=r"train-images-idx3-ubyte\.gz.*gzip"):
        load(str(idx_folder))


def test_labels_of_another_length_are_refused(idx_folder, as_idx):
    path = idx_folder / "train-labels-idx1-ubyte"
    path.write_bytes(as_idx(np.zeros(11, np.uint8)))
    with pytest.raises(KgenError, match=r"each of the 12 pictures.*shape=\(11,\)"):
        load(str(idx_folder))


def test_a_missing_split_is_refused_with_the_files_there_are(idx_folder):
    for path in idx_folder.glob("t10k*"):
        path.unlink()
    with pytest.raises(KgenError, match=r"none for split='test'. Received: train-images"):
        load(str(idx_folder), split="test")


def test_two_data_sets_in_one_folder_are_refused(idx_folder, as_idx, pixels):
    (idx_folder / "emnist-train-images-idx3-ubyte").write_bytes(as_idx(pixels))
    with pytest.raises(KgenError, match="several for split='train'"):
        load(str(idx_folder))
