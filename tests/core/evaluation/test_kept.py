"""What a slow extractor sees in the same pictures is looked at once."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from kgen.evaluation.extraction.extractor import Extractor
from kgen.evaluation.extraction.features import Features
from kgen.evaluation.extraction.kept import kept
from kgen.files import cache_folder

FACTS = ["train", "the hash of some pictures", 4]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def slow():
    """Return a slow extractor, which is told apart and does not look."""
    model: Any = None
    return Extractor(name="slow", sha256="1" * 64, model=model, image_shape=(8, 8, 1), is_slow=True)


def looking(*, logits: bool = True):
    """Return a function that looks, and a list to which each look adds what it saw."""
    looks = []

    def look():
        rng = np.random.Generator(np.random.Philox(len(looks)))
        features = rng.normal(size=(4, 3)).astype("float32")
        looks.append(Features(features=features, logits=features[:, :2] if logits else None))
        return looks[-1]

    return look, looks


def files():
    return sorted((cache_folder() / "features").glob("*"))


@pytest.mark.parametrize("logits", [True, False])
def test_the_second_time_is_read_from_a_file(slow, logits):
    look, looks = looking(logits=logits)
    first, second = kept(slow, FACTS, look), kept(slow, FACTS, look)
    assert len(looks) == 1
    for found in (first, second):
        np.testing.assert_array_equal(found.features, looks[0].features)
        assert found.features.dtype == np.float32
        assert (found.logits is None) != logits
        if logits:
            np.testing.assert_array_equal(found.logits, looks[0].logits)


def test_other_pictures_and_other_weights_are_looked_at(slow):
    look, looks = looking()
    other = dataclasses.replace(slow, sha256="2" * 64)
    for extractor, facts in ((slow, FACTS), (slow, [*FACTS[:2], 5]), (other, FACTS)):
        kept(extractor, facts, look)
    assert len(looks) == len(files()) == 3


@pytest.mark.parametrize("left", [b"", b"PK\x03\x04 not an archive", None])
def test_a_damaged_file_is_made_again(slow, left):
    look, looks = looking()
    kept(slow, FACTS, look)
    (path,) = files()
    path.write_bytes(path.read_bytes()[:-40] if left is None else left)
    again = kept(slow, FACTS, look)
    np.testing.assert_array_equal(again.features, looks[1].features)
    np.testing.assert_array_equal(kept(slow, FACTS, look).features, looks[1].features)
    assert len(looks) == 2
    assert len(files()) == 1


def test_what_was_seen_survives_a_folder_that_cannot_be_written(slow):
    cache_folder().write_bytes(b"in the way of a folder")
    look, looks = looking()
    np.testing.assert_array_equal(kept(slow, FACTS, look).features, looks[0].features)


def test_a_fast_extractor_keeps_nothing(slow):
    look, looks = looking()
    fast = dataclasses.replace(slow, is_slow=False)
    kept(fast, FACTS, look)
    kept(fast, FACTS, look)
    assert len(looks) == 2
    assert files() == []
