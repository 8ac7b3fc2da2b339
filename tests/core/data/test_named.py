"""The data sets known by name: the embedded one to the byte, the others where they are found."""

import gzip
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from kgen.data import SOURCES, load, named
from kgen.errors import KgenError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script() -> ModuleType:
    """Return scripts/make_embedded.py as a module."""
    spec = importlib.util.spec_from_file_location("embed", ROOT / "scripts" / "make_embedded.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def keras_gives(monkeypatch):
    """Return a function that puts a result, or an error, behind keras.datasets."""

    def put(name: str, result) -> None:
        def load_data():
            if isinstance(result, Exception):
                raise result
            return result

        fake = SimpleNamespace(load_data=load_data)
        monkeypatch.setitem(sys.modules, f"keras.datasets.{name}", fake)
        monkeypatch.setattr(named, "DEBIAN_FASHION_MNIST", Path("/nowhere"))

    return put


SPLITS = ("train", "test")


@pytest.mark.parametrize("split", SPLITS)
def test_the_embedded_file_is_the_one_that_was_released(split):
    content = named.EMBEDDED_FILES[split].read_bytes()
    assert hashlib.sha256(content).hexdigest() == named.EMBEDDED_SHA256[split]
    assert len(content) < 1_000_000


@pytest.mark.parametrize("split", SPLITS)
def test_the_embedded_pictures_are_2000_balanced_and_plausible(split):
    dataset = load("embedded", split=split)
    assert (len(dataset), dataset.images.shape, dataset.num_classes) == (2000, (28, 28, 1), 10)
    np.testing.assert_array_equal(np.bincount(dataset.labels), np.full(10, 200))  # type: ignore
    pixels = dataset.images.gather(np.arange(2000)) / 255
    assert len(np.unique(pixels, axis=0)) == 2000
    # Fashion-MNIST's training set has mean 0.2860 and deviation 0.3530 (per pixel); pictures vary
    # in mean by 0.13, so that of 2,000 of them by 0.003: four of these.
    np.testing.assert_allclose([pixels.mean(), pixels.std()], [0.2860, 0.3530], atol=0.012)


def test_no_embedded_picture_is_in_both_splits():
    rows = [load("embedded", split=split).images.gather(np.arange(2000)) for split in SPLITS]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 4000


def test_the_embedded_pictures_have_their_licence_beside_them():
    text = (named.EMBEDDED_FILES["train"].parent / "LICENSE.fashion-mnist").read_text()
    assert "MIT License" in text
    assert "Copyright (c) 2017 Zalando SE" in text


@pytest.mark.parametrize(("split", "size"), [("train", 60_000), ("test", 10_000)])
def test_the_embedded_file_says_where_its_pictures_come_from(split, size):
    with np.load(named.EMBEDDED_FILES[split]) as arrays:
        index = arrays[f"{split}_index"]
    assert (len(np.unique(index)), index.min() >= 0, index.max() < size) == (2000, True, True)


def test_the_script_chooses_the_first_of_each_class_and_writes_the_same_bytes(script):
    labels = np.array([2, 0, 0, 1, 2, 0, 1, 2])
    index = script.choose(labels, 2)
    np.testing.assert_array_equal(index, [0, 1, 2, 3, 4, 6])
    images = np.zeros((6, 28, 28), np.uint8)
    first, second = (script.encode(images, labels[index], index, "train") for _ in range(2))
    assert first == second


def test_the_script_writes_what_the_loader_reads(script, idx_folder, tmp_path, monkeypatch, pixels):
    files = {split: tmp_path / "out" / f"{split}.npz" for split in SPLITS}
    monkeypatch.setattr(script, "EMBEDDED_FILES", files)
    monkeypatch.setattr(sys, "argv", ["make_embedded.py", "--source", str(idx_folder)])
    script.main()
    hashes = {key: hashlib.sha256(file.read_bytes()).hexdigest() for key, file in files.items()}
    monkeypatch.setattr(named, "EMBEDDED_FILES", files)
    monkeypatch.setattr(named, "EMBEDDED_SHA256", hashes)
    dataset = load("embedded")
    np.testing.assert_array_equal(dataset.images.gather(np.arange(12))[..., 0], pixels)
    np.testing.assert_array_equal(dataset.labels, np.arange(12) % 3)  # type: ignore[arg-type]


def test_a_damaged_embedded_file_says_to_install_again(tmp_path, monkeypatch):
    damaged = tmp_path / "a.npz"
    damaged.write_bytes(named.EMBEDDED_FILES["train"].read_bytes()[:-1])
    monkeypatch.setitem(named.EMBEDDED_FILES, "train", damaged)
    with pytest.raises(KgenError, match=r"damaged: expected SHA-256 .* Install kgen again"):
        load("embedded")
    damaged.unlink()
    with pytest.raises(KgenError, match=r"No such file .* Install kgen again"):
        load("embedded")


def test_fashion_mnist_is_found_where_debian_puts_it(idx_folder, monkeypatch):
    monkeypatch.setattr(named, "DEBIAN_FASHION_MNIST", idx_folder)
    train, test = load("fashion_mnist"), load("fashion_mnist", split="test", image_size=16)
    assert (len(train), len(test), test.images.shape) == (12, 4, (16, 16, 1))
    assert train.class_names is not None
    assert train.class_names[9] == "Ankle boot"


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_grey_sets_come_through_keras(keras_gives, name, pixels):
    labels = (np.arange(12) % 10).astype(np.uint8)
    keras_gives(name, ((pixels, labels), (pixels[:4], labels[:4])))
    train, test = load(name), load(name, split="test")
    np.testing.assert_array_equal(train.images.gather(np.arange(12))[..., 0], pixels)
    np.testing.assert_array_equal(test.labels, labels[:4].astype(np.int32), strict=True)


@pytest.mark.parametrize("channels_first", [False, True])
def test_cifar10_comes_through_keras_in_either_layout(keras_gives, channels_first):
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    given = images.transpose(0, 3, 1, 2) if channels_first else images
    keras_gives("cifar10", ((given, np.array([[3]] * 5)), (given[:1], np.array([[0]]))))
    dataset = load("cifar10")
    np.testing.assert_array_equal(dataset.images.gather(np.arange(5)), images)
    np.testing.assert_array_equal(dataset.labels, [3] * 5)


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist", "cifar10"])
def test_without_a_network_the_error_says_how_else_to_get_the_data(keras_gives, name):
    keras_gives(name, Exception("URL fetch failure on https://x: None --\nunreachable"))
    advice = re.escape(SOURCES[name].otherwise)
    with pytest.raises(KgenError, match=f"Cannot get {name} .*unreachable.*{advice}") as caught:
        load(name)
    assert "\n" not in str(caught.value)


def test_kerass_own_cache_is_used(tmp_path, as_idx):
    cache = tmp_path / "datasets" / "fashion-mnist"
    cache.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    for split in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(6, dtype="u1"))):
            (cache / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(as_idx(array)))
    code = (
        "from pathlib import Path; from kgen import data\n"
        "data.named.DEBIAN_FASHION_MNIST = Path('/nowhere')\n"
        "dataset = data.load('fashion_mnist')\n"
        "print(dataset.images.gather(range(6)).sum(), dataset.labels.tolist())"
    )
    # Keras reads KERAS_HOME when it is imported, hence another process; its NumPy backend is the
    # quickest to start.
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "numpy"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.stdout.split("\n")[0] == f"{images.sum()} [0, 1, 2, 3, 4, 5]", done.stderr
