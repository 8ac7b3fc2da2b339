"""The pinned extractor: its file, and its arithmetic on every backend against plain NumPy."""

import hashlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kgen.data import load
from kgen.errors import KgenError
from kgen.evaluation.extraction import extractor

pytestmark = pytest.mark.backend


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve 3 x 3, rectify and halve by maxima: (n, h, w, c) to (n, h / 2, w / 2, width)."""
    n, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = bias + sum(
        padded[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3)
    )
    return np.maximum(y, 0).reshape(n, h // 2, 2, w // 2, 2, -1).max(axis=(2, 4))


def reference(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute features and logits from the file's weights in float64."""
    with np.load(extractor.PINNED_FILE) as arrays:
        w = [arrays[key].astype(np.float64) for key in sorted(arrays.files)]
    x = images / 255
    x = convolved(x, w[0], w[1])
    x = convolved(x, w[2], w[3])
    features = np.maximum(x.reshape(len(x), -1) @ w[4] + w[5], 0)
    return features, features @ w[6] + w[7]


def test_the_pinned_file_is_the_one_that_was_pinned():
    content = extractor.PINNED_FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() == extractor.PINNED_SHA256


def test_the_features_are_those_of_numpy_on_every_backend():
    images = load("embedded").images.gather(np.arange(0, 2000, 250))
    seen = extractor.pinned()([images], len(images))
    features, logits = reference(images)
    # Float32 sums of 3,136 products: 1e-6 of the largest, which are about 20.
    assert_allclose(seen.features, features, rtol=1e-4, atol=1e-4)
    assert_allclose(seen.logits, logits, rtol=1e-4, atol=1e-4)


def test_chunks_of_any_size_give_the_same_features():
    images = load("embedded").images.gather(np.arange(300))  # more than are looked at at a time
    look, told = extractor.pinned(), []
    whole = look([images], 300)
    parts = look(np.split(images, [1, 7, 290]), 300, lambda *args: told.append(args))
    assert told[-1] == (300, 300)
    # A picture's place in a batch may change the order of its sums.
    assert_allclose(parts.features, whole.features, rtol=1e-5, atol=1e-5)
    assert len(whole) == 300


def test_what_is_kept_comes_back_with_its_facts():
    model = extractor.lenet((8, 8, 3), 4)
    content = extractor.encode(model, accuracy=np.array(0.75))
    other = extractor.lenet((8, 8, 3), 4)
    facts = extractor.decode(other, content)
    assert {k: float(v) for k, v in facts.items()} == {"accuracy": 0.75}
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert_allclose(a, b, rtol=1e-3, atol=1e-7)  # float16
    with pytest.raises(ValueError, match=r"shape|weights"):
        extractor.decode(extractor.lenet((8, 8, 1), 4), content)


def test_pictures_of_another_size_are_refused_and_damage_is_said(tmp_path, monkeypatch):
    with pytest.raises(KgenError, match=r"28 x 28 x 1 in uint8. Received: 32 x 32 x 1"):
        extractor.pinned()([np.zeros((2, 32, 32, 1), np.uint8)], 2)
    with pytest.raises(KgenError, match="no picture"):
        extractor.pinned()([], 0)
    damaged = tmp_path / "lenet.npz"
    damaged.write_bytes(b"not it")
    monkeypatch.setattr(extractor, "PINNED_FILE", damaged)
    with pytest.raises(KgenError, match="damaged"):
        extractor.pinned()
