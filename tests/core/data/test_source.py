"""One entry to every source: names, paths, sizes, channels, splits, and wrong arguments."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kgen.data import SOURCES, load
from kgen.errors import KgenError


@pytest.fixture(params=["name", "idx", "npz", "npy", "folder", "stream"])
def source(request, tmp_path, idx_folder, pixels) -> dict:
    """Return the arguments that load each kind of source."""
    if request.param == "name":
        return {"source": "embedded"}
    if request.param == "idx":
        return {"source": idx_folder}
    if request.param == "npz":
        np.savez(tmp_path / "a.npz", images=pixels)
        return {"source": tmp_path / "a.npz"}
    if request.param == "npy":
        np.save(tmp_path / "a.npy", pixels)
        return {"source": tmp_path / "a.npy"}
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "photos" / f"{i:02}.png")
    limit = 0 if request.param == "stream" else None
    return {"source": tmp_path / "photos", "memory_limit": limit}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_size", [28, 32, 64])
def test_every_source_gives_any_size_and_channels_as_uint8(source, image_size, channels):
    dataset = load(**source, image_size=image_size, channels=channels)
    assert dataset.images.shape == (image_size, image_size, channels)
    images = dataset.images.gather(np.array([3, 0]))
    assert (images.shape, images.dtype) == ((2, *dataset.images.shape), np.uint8)


def test_every_source_converts_a_picture_to_the_same_pixels(source, pixels):
    if source["source"] == "embedded":
        pixels = load("embedded").images.gather(np.arange(12))[..., 0]
    converted = load(**source, image_size=16, channels=3).images.gather(np.arange(12))
    for before, after in zip(pixels, converted, strict=True):
        oracle = Image.fromarray(before).convert("RGB").resize((16, 16), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(after, np.asarray(oracle))


@pytest.mark.parametrize("image_size", [0, -1, 4097, 28.0, True, "28"])
def test_a_size_out_of_range_is_refused(image_size):
    with pytest.raises(
        KgenError, match=r"image_size takes 1 to 4096 pixels. Received: image_size="
    ):
        load("embedded", image_size=image_size)


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_channels_other_than_grey_and_colour_are_refused(channels):
    with pytest.raises(KgenError, match=f"Received: channels={channels}"):
        load("embedded", channels=channels)


def test_a_split_that_does_not_exist_is_refused():
    with pytest.raises(KgenError, match=r"takes 'train' or 'test'. Received: split='dev'"):
        load("embedded", split="dev")


def test_a_source_without_splits_has_no_test_split(tmp_path, pixels):
    np.save(tmp_path / "a.npy", pixels)
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    for path in (tmp_path / "a.npy", tmp_path):
        with pytest.raises(KgenError, match=r"has no splits. Received: split='test'"):
            load(path, split="test")


@pytest.mark.parametrize(
    "name", ["fashion_mist", "no/such/folder", "", "a\0b", "x" * 5000, "~zz/a"]
)
def test_an_unknown_source_lists_the_names_and_says_that_no_path_exists(name):
    with pytest.raises(KgenError) as caught:
        load(name)
    message = str(caught.value)
    assert all(known in message for known in SOURCES)
    assert "no folder or file of that path" in message


def test_a_misspelt_name_is_set_right():
    with pytest.raises(KgenError, match="Did you mean 'fashion_mnist'"):
        load("fashion_mist")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(KgenError, match=r"a folder, a \.npz or a \.npy; .*Received: data="):
        load(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my photos (2)", "my-photos-2"),
        ("..dots..", "dots"),
        ("日本", "data"),
        ("x" * 99, "x" * 40),
    ],
)
def test_a_path_gives_a_short_name_fit_for_a_folder(tmp_path, pixels, folder, name):
    (tmp_path / folder).mkdir()
    Image.fromarray(pixels[0]).save(tmp_path / folder / "a.png")
    assert load(tmp_path / folder).name == name


def test_the_current_folder_has_a_name(tmp_path, pixels, monkeypatch):
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert load(".").name == tmp_path.name[:40]


def test_a_name_wins_over_a_folder_and_a_path_reaches_it(tmp_path, pixels, monkeypatch):
    (tmp_path / "embedded").mkdir()
    Image.fromarray(pixels[0]).save(tmp_path / "embedded" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert (len(load("embedded")), len(load("./embedded"))) == (2000, 1)


def test_importing_the_data_pipeline_imports_neither_keras_nor_pillow():
    code = (
        "import sys, kgen.data, kgen.noise; "
        "print({'keras', 'PIL', 'matplotlib', 'psutil'} & {m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
