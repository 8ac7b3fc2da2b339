"""Pictures turned four ways, and the name of a data set, against plain NumPy."""

import hashlib
from dataclasses import replace

import numpy as np

from kgen.data import ArrayImages, DataSet, SubsetImages, content
from kgen.data.content import data_hash
from kgen.evaluation.extraction.turned import turned


def dataset(images: np.ndarray) -> DataSet:
    return DataSet(
        name="x", images=ArrayImages(images), labels=None, class_names=None, licence=None
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_square_pictures_are_rotated_by_quarter_turns():
    images = noise(5, 6, 6, 3)
    found = turned(dataset(images))
    order = np.array([7, 0, 19, 5, 2])
    expected = [np.rot90(images[i // 4], i % 4) for i in order]
    assert np.array_equal(found.images.gather(order), expected)
    assert found.labels is not None
    assert found.labels[order].tolist() == [3, 0, 3, 1, 2]
    assert len(found) == 20


def test_other_pictures_are_turned_and_mirrored():
    images = noise(1, 4, 6, 1)
    found = turned(dataset(images)).images.gather(np.arange(4))
    x = images[0]
    assert np.array_equal(found, [x, x[::-1, ::-1], x[::-1], x[:, ::-1]])


def test_the_hash_is_of_the_shape_the_pixels_and_the_labels(monkeypatch):
    images, labels = noise(50, 4, 6, 3), np.arange(50, dtype=np.int32) % 3
    found = data_hash(ArrayImages(images), labels)
    expected = hashlib.sha256(b"(50, 4, 6, 3, True)" + images.tobytes())
    expected.update(labels.astype("<i8").tobytes())
    assert found == expected.hexdigest()
    monkeypatch.setattr(content, "_BYTES", 500)  # 6 pictures at a time
    assert data_hash(ArrayImages(images), labels) == found
    assert data_hash(ArrayImages(images), labels.astype(np.int64)) == found


def test_the_hash_changes_with_anything_that_the_data_are():
    images, labels = noise(20, 6, 6, 1), np.zeros(20, dtype=np.int32)
    changed, others = images.copy(), labels.copy()
    changed[7, 3, 3, 0] ^= 1
    others[4] = 1
    source = ArrayImages(images)
    hashes = {
        data_hash(source),
        data_hash(source, labels),
        data_hash(source, others),
        data_hash(ArrayImages(changed)),
        data_hash(ArrayImages(images.reshape(20, 4, 9, 1))),
        data_hash(SubsetImages(source, np.arange(19))),
        data_hash(SubsetImages(source, np.arange(20)[::-1])),
    }
    assert len(hashes) == 7
    assert data_hash(replace(dataset(images)).images) == data_hash(source)
