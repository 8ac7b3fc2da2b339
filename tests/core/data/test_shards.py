"""Shards as data: any pictures in any order, read where they lie; what is broken says so."""

import numpy as np
import pytest

from kgen import data
from kgen.data.array import convert_images
from kgen.errors import KgenError
from tests.core.shards.painting import fill, paint

SQUARE = (6, 6, 3)
each_format = pytest.mark.parametrize("kind", ["npz", "tar"])


def square(n, start, progress=lambda done, whole: None):
    return paint(n, start, progress, shape=SQUARE)


@each_format
def test_any_pictures_come_in_the_order_asked_for(kind, tmp_path):
    found = data.load(fill(tmp_path, square, format=kind, shape=SQUARE))
    assert (len(found), found.images.shape, found.labels) == (1000, SQUARE, None)
    rows = np.random.default_rng(0).integers(0, 1000, 500)
    np.testing.assert_array_equal(found.images.gather(rows), square(1000, 0)[rows])


@each_format
def test_pictures_are_brought_to_the_size_and_channels_wanted(kind, tmp_path):
    found = data.load(fill(tmp_path, format=kind), image_size=4, channels=1)
    assert found.images.shape == (4, 4, 1)
    expected = convert_images(paint(9, 0), 4, 1)
    np.testing.assert_array_equal(found.images.gather(np.arange(9)), expected)


def test_a_missing_shard_is_told_of(tmp_path):
    (fill(tmp_path) / "pictures-00002-of-00004.npz").unlink()
    with pytest.raises(KgenError, match=r"is to hold 4 shards\. Received: 3 of them\. Draw the"):
        data.load(tmp_path)


@each_format
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5])
def test_a_damaged_shard_is_told_of(kind, kept, tmp_path):
    path = fill(tmp_path, format=kind) / f"pictures-00001-of-00004.{kind}"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(KgenError, match=rf"00001-of-00004\.{kind} is not a whole shard: \w"):
        data.load(tmp_path).images.gather(np.arange(300, 600))


def test_a_shard_of_other_pictures_is_told_of(tmp_path):
    path = fill(tmp_path) / "pictures-00001-of-00004.npz"
    np.savez(path, images=np.zeros((300, 4, 4, 3), np.uint8))
    with pytest.raises(KgenError, match=r"it takes uint8 \(300, 6, 5, 3\) and holds uint8 \(300, "):
        data.load(tmp_path).images.gather(np.arange(300, 301))


def test_a_folder_of_pictures_with_a_json_of_somebody_elses_stays_one(tmp_path):
    from PIL import Image

    (tmp_path / "pictures.json").write_text('{"version": 3}')
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    assert len(data.load(tmp_path)) == 1


def test_shards_have_no_splits(tmp_path):
    with pytest.raises(KgenError, match=r"has no splits\. Received: split='test'"):
        data.load(fill(tmp_path), split="test")
