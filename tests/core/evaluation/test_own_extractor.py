"""Extractors of other data: what they learn, that they are kept, that the seed decides."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kgen.data import ArrayImages, DataSet
from kgen.errors import KgenError
from kgen.evaluation.extraction import own as module
from kgen.evaluation.extraction.own import own_extractor

pytestmark = pytest.mark.backend


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Train for seconds; sixty steps are enough for a blob in one of four corners."""
    monkeypatch.setattr(module, "LEAST_STEPS", 60)
    monkeypatch.setattr(module, "MOST_STEPS", 60)


def corners(n: int = 240, shape=(8, 8, 1), classes: int = 2, labelled: bool = True) -> DataSet:
    """Make pictures of noise with a bright patch in the corner of their class."""
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % classes).astype(np.int32)
    images = rng.integers(0, 100, (n, *shape))
    half = shape[0] // 2, shape[1] // 2
    for i, label in enumerate(labels):
        top, left = divmod(int(label), 2)
        patch = images[i, top * half[0] :, left * half[1] :][: half[0], : half[1]]
        patch += 120
    return DataSet(
        name="corners",
        images=ArrayImages(images.astype(np.uint8)),
        labels=labels if labelled else None,
        class_names=None,
        licence=None,
    )


def test_it_learns_the_datas_own_classes_and_is_kept(tmp_path):
    steps = []
    data = corners(classes=3, shape=(8, 12, 3))
    first = own_extractor(data, tmp_path, progress=lambda *args: steps.append(args))
    assert first.name == f"lenet64-{module.data_hash(data.images, data.labels)[:8]}"
    assert first.has_classes
    assert first.accuracy is not None
    assert first.accuracy > 0.9
    assert steps[-1][0] == steps[-1][1]
    images = data.images.gather(np.arange(10))
    seen = first([images], 10)
    assert seen.logits is not None
    assert (seen.features.shape, seen.logits.shape) == ((10, 64), (10, 3))

    steps.clear()
    again = own_extractor(data, tmp_path, progress=lambda *args: steps.append(args))
    assert steps == []
    assert (again.name, again.sha256, again.accuracy) == (
        first.name, first.sha256, first.accuracy,
    )  # fmt: skip
    assert_array_equal(again([images], 10).features, seen.features)


def test_the_seed_decides_the_weights(tmp_path):
    made = [
        own_extractor(corners(), tmp_path / str(i), seed=seed) for i, seed in enumerate([0, 0, 1])
    ]
    assert made[0].sha256 == made[1].sha256
    assert made[0].sha256 != made[2].sha256


@pytest.mark.parametrize(
    ("shape", "classes", "labelled", "task"),
    [((8, 8, 1), 1, False, "rotation"), ((8, 8, 3), 1, True, "rotation"),
     ((8, 12, 1), 1, False, "mirror")],
    ids=["no labels", "one class", "not square"],
)  # fmt: skip
def test_without_classes_it_learns_how_pictures_are_turned(
    tmp_path, shape, classes, labelled, task
):
    data = corners(shape=shape, classes=classes, labelled=labelled)
    found = own_extractor(data, tmp_path)
    assert found.name == f"lenet64-{task}-{module.data_hash(data.images)[:8]}"
    assert not found.has_classes
    assert found.accuracy is not None
    assert found.accuracy > 0.9  # the patch is in the corner that the way decides; chance is 0.25
    seen = found([data.images.gather(np.arange(5))], 5)
    assert seen.logits is None
    assert seen.features.shape == (5, 64)


def test_a_damaged_file_is_made_again(tmp_path):
    made = own_extractor(corners(), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    again = own_extractor(corners(), tmp_path)
    assert again.sha256 == made.sha256
    path.write_bytes(b"")
    assert own_extractor(corners(), tmp_path).sha256 == made.sha256


def test_what_cannot_be_learned_from_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(KgenError, match=r"at least 200 pictures.*Received: 150 .*Give more"):
        own_extractor(corners(n=150), tmp_path)
    with pytest.raises(KgenError, match=r"Received: 4 x 200 .*Crop"):
        own_extractor(corners(n=200, shape=(4, 200, 1)), tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KgenError, match="Cannot"):
        own_extractor(corners(), tmp_path / "file" / "cache")
