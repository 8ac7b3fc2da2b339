"""NumPy's files: layouts, conversion, and every way in which a file can be wrong."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kgen.data import load
from kgen.data.array import convert_images
from kgen.errors import KgenError


def save(path: Path, **arrays: object) -> str:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return str(path)


def all_pixels(dataset) -> np.ndarray:
    return dataset.images.gather(np.arange(len(dataset)))


def test_a_npz_gives_its_pictures_labels_and_class_names(tmp_path, pixels):
    path = save(
        tmp_path / "my things.npz",
        images=pixels,
        labels=np.arange(12)[:, np.newaxis] % 2,
        class_names=np.array(["no", "yes"]),
    )
    dataset = load(path)
    assert (dataset.name, dataset.class_names) == ("my-things", ("no", "yes"))
    np.testing.assert_array_equal(all_pixels(dataset)[..., 0], pixels)
    np.testing.assert_array_equal(dataset.labels, np.arange(12, dtype=np.int32) % 2, strict=True)


def test_a_npz_without_labels_has_none(tmp_path, pixels):
    dataset = load(save(tmp_path / "a.npz", images=pixels))
    assert (dataset.labels, dataset.class_names) == (None, None)


@pytest.mark.parametrize("shape", [(3, 4, 4), (3, 4, 4, 1), (3, 4, 4, 3)])
def test_a_npy_gives_its_pictures_and_stays_on_disk(tmp_path, shape):
    images = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.save(tmp_path / "a.npy", images)
    dataset = load(tmp_path / "a.npy")
    np.testing.assert_array_equal(all_pixels(dataset), images.reshape(3, 4, 4, -1), strict=True)
    memory = dataset.images._images.base  # type: ignore[attr-defined]
    while memory is not None and not isinstance(memory, np.memmap):
        memory = memory.base
    assert isinstance(memory, np.memmap)


def test_pictures_that_fit_are_not_copied(pixels):
    assert np.shares_memory(convert_images(pixels, 10, 1), pixels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [5, 10, 16])
def test_conversion_is_pillows(size, channels):
    images = np.random.default_rng(1).integers(0, 256, (4, 10, 10, 3), dtype=np.uint8)
    converted = convert_images(images, size, channels)
    mode = "L" if channels == 1 else "RGB"
    for before, after in zip(images, converted, strict=True):
        image = Image.fromarray(before).convert(mode)
        oracle = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))
        np.testing.assert_array_equal(after.squeeze(), oracle)


def test_grey_becomes_three_equal_channels_and_back(pixels):
    colour = convert_images(pixels, channels=3)
    np.testing.assert_array_equal(colour, np.repeat(pixels[..., np.newaxis], 3, axis=-1))
    np.testing.assert_array_equal(convert_images(colour, channels=1)[..., 0], pixels)


def test_pictures_that_are_not_square_lose_their_longer_ends():
    wide = np.arange(2 * 4 * 9, dtype=np.uint8).reshape(2, 4, 9)
    np.testing.assert_array_equal(convert_images(wide)[..., 0], wide[:, :, 2:6])
    tall = wide.transpose(0, 2, 1)
    np.testing.assert_array_equal(convert_images(tall)[..., 0], tall[:, 2:6, :])


def test_conversion_reports_its_progress(pixels):
    calls = []
    convert_images(pixels, 20, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i, 12) for i in range(1, 13)]


GOOD = np.zeros((2, 4, 4), dtype=np.uint8)
BROKEN = {
    "no images": ({"x_train": GOOD, "x": GOOD}, "named 'images'. Received: x, x_train"),
    "float": ({"images": GOOD + 0.5}, r"uint8 in \[0, 255\].*float64, values in \[0.5, 0.5\]"),
    "bool": ({"images": GOOD == 0}, "dtype=bool"),
    "text": ({"images": GOOD.astype(str)}, "dtype=<U"),
    "flat": ({"images": GOOD.reshape(2, 16)}, r"channels last. Received: shape=\(2, 16\)"),
    "channels first": ({"images": np.zeros((2, 3, 4, 4), np.uint8)}, r"shape=\(2, 3, 4, 4\)"),
    "none": ({"images": GOOD[:0]}, r"no pictures. Received: shape=\(0, 4, 4\)"),
    "no pixels": ({"images": GOOD[:, :0]}, r"no pictures. Received: shape=\(2, 0, 4\)"),
    "few labels": ({"images": GOOD, "labels": np.array([1])}, r"each of the 2 pic.*shape=\(1,\)"),
    "float labels": ({"images": GOOD, "labels": np.ones(2)}, "whole numbers.*float64"),
    "one-hot": ({"images": GOOD, "labels": np.eye(2, dtype=int)}, r"shape=\(2, 2\)"),
    "negative": ({"images": GOOD, "labels": np.array([-1, 0])}, r"from 0.*\[-1, 0\]"),
    "wide": ({"images": GOOD, "labels": np.array([0, 2**31])}, "class numbers from 0"),
    "names": ({"images": GOOD, "class_names": np.arange(2)}, "list of texts"),
    "few names": (
        {"images": GOOD, "labels": np.array([0, 1]), "class_names": np.array(["a"])},
        r"from 0 to 0, one for each of its class_names. Received: labels in \[0, 1\]",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_wrong_contents_are_refused_with_what_was_received(tmp_path, case):
    arrays, message = BROKEN[case]
    with pytest.raises(KgenError, match=message) as caught:
        load(save(tmp_path / "a.npz", **arrays))
    assert "\n" not in str(caught.value)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_pickled_objects_are_never_run(tmp_path, suffix):
    objects = np.array([Bomb(tmp_path / "ran")], dtype=object)
    path, trace = tmp_path / f"a.{suffix}", tmp_path / "ran"
    if suffix == "npz":
        np.savez(path, images=objects)
    else:
        np.save(path, objects)
    with pytest.raises(KgenError, match="holds pickled objects"):
        load(path)
    assert not trace.exists()


def test_a_bare_pickle_is_never_run(tmp_path):
    import pickle

    (tmp_path / "a.npy").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(KgenError, match="pickles are never read"):
        load(tmp_path / "a.npy")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_a_file_cut_short_anywhere_is_refused(tmp_path, suffix):
    buffer = io.BytesIO()
    if suffix == "npz":
        np.savez_compressed(buffer, images=GOOD)
    else:
        np.save(buffer, GOOD)
    whole = buffer.getvalue()
    for length in range(0, len(whole), 7):
        path = tmp_path / f"{length}.{suffix}"
        path.write_bytes(whole[:length])
        with pytest.raises(KgenError, match=f"{length}.{suffix}") as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_a_damaged_member_of_a_npz_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((50, 8, 8), np.uint8))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(KgenError, match=r"Cannot read .*CRC"):
        load(path)


def test_an_archive_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images", "not an array")
    with pytest.raises(KgenError, match="images is not an array"):
        load(tmp_path / "a.npz")
