"""A folder of pictures: classes, sizes, what is skipped, and streaming."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kgen.data import ArrayImages, FolderImages, load
from kgen.data.listing import list_pictures
from kgen.errors import KgenError


def grey(value: int, size: int = 8) -> Image.Image:
    return Image.new("L", (size, size), value)


def fill(root: Path, names: list[str], size: int = 8) -> None:
    """Write grey pictures whose level is their place in `names` times 10."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        grey(10 * i, size).save(root / name)


def levels(dataset) -> list[int]:
    return dataset.images.gather(np.arange(len(dataset)))[:, 0, 0, 0].tolist()


def test_sub_folders_are_classes_in_the_order_of_their_names(tmp_path):
    fill(tmp_path, ["dog/1.png", "cat/2.png", "dog/deep/er/3.png", "cat/1.png"])
    dataset = load(tmp_path)
    assert dataset.class_names == ("cat", "dog")
    assert levels(dataset) == [30, 10, 0, 20]  # cat/1, cat/2, dog/1, dog/deep/er/3
    np.testing.assert_array_equal(dataset.labels, np.array([0, 0, 1, 1], np.int32), strict=True)


def test_folders_named_by_numbers_are_classes_in_numeric_order(tmp_path):
    fill(tmp_path, ["10/a.png", "9/a.png", "0/a.png"])
    assert load(tmp_path).class_names == ("0", "9", "10")


def test_there_are_no_classes_where_a_picture_is_in_no_sub_folder(tmp_path):
    fill(tmp_path, ["a.png", "cat/b.png"])
    dataset = load(tmp_path)
    assert (len(dataset), dataset.labels, dataset.class_names) == (2, None, None)


def test_pictures_of_one_square_size_keep_it(tmp_path):
    fill(tmp_path, ["a.png", "b.png"], size=20)
    assert load(tmp_path).images.shape == (20, 20, 1)


@pytest.mark.parametrize("other", [(30, 30), (20, 10)])
def test_pictures_of_several_sizes_become_64_pixels(tmp_path, other):
    fill(tmp_path, ["a.png"], size=20)
    Image.new("L", other).save(tmp_path / "b.png")
    assert load(tmp_path).images.shape == (64, 64, 1)


def test_pictures_larger_than_kgen_trains_on_become_64_pixels(tmp_path):
    fill(tmp_path, ["a.png"], size=513)
    assert load(tmp_path).images.shape == (64, 64, 1)


def test_one_colour_picture_makes_all_of_them_colour(tmp_path):
    fill(tmp_path, ["a.png"])
    assert load(tmp_path).images.shape[2] == 1
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "b.png")
    dataset = load(tmp_path)
    assert dataset.images.shape[2] == 3
    np.testing.assert_array_equal(dataset.images.gather(np.array([1]))[0, 0, 0], [1, 2, 3])
    assert load(tmp_path, channels=1, image_size=4).images.shape == (4, 4, 1)


def test_what_cannot_be_read_is_skipped_and_named(tmp_path):
    fill(tmp_path, ["a/1.png", "a/2.png", "b/3.png", "b/4.png"])
    whole = (tmp_path / "a/2.png").read_bytes()
    (tmp_path / "a/2.png").write_bytes(whole[:-22])  # damaged at its end: found in decoding
    (tmp_path / "b/0.jpg").write_text("not a picture\n")  # damaged from its start
    (tmp_path / "b/new\nline.png").write_bytes(b"")
    (tmp_path / "b/gone.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "b/pipe.png")
    dataset = load(tmp_path)
    assert levels(dataset) == [0, 20, 30]
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 1, 1]
    assert [name.partition(" (")[0] for name in dataset.skipped] == [
        "a/2.png", "b/0.jpg", "b/gone.png", "b/new\\nline.png", "b/pipe.png",
    ]  # fmt: skip
    assert dataset.skipped[1] == "b/0.jpg (not a PNG, JPEG, WebP or BMP picture)"


def test_a_decompression_bomb_is_skipped_without_a_warning(tmp_path, monkeypatch):
    fill(tmp_path, ["a.png"])
    fill(tmp_path, ["b.png"], size=40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    dataset = load(tmp_path)
    assert (len(dataset), dataset.skipped) == (1, ("b.png (too large: 40 x 40 pixels)",))


def test_damaged_exif_does_no_harm_and_gives_no_warning(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\xff\xff\xff\x7f"
    grey(70).save(tmp_path / "a.jpg", exif=exif)
    assert levels(load(tmp_path)) == [70]


def test_hidden_files_and_folders_are_left_out(tmp_path):
    fill(tmp_path, ["a.png", ".b.png", ".thumbnails/c.png", "._a.png"])
    dataset = load(tmp_path)
    assert (len(dataset), dataset.skipped) == (1, ())


def test_a_loop_of_links_ends_and_counts_each_picture_once(tmp_path):
    fill(tmp_path, ["b/1.png", "b/2.png"])
    (tmp_path / "b/up").symlink_to("..")
    (tmp_path / "a").symlink_to("b")  # comes first by name, yet b is where the pictures are
    assert list_pictures(tmp_path).pictures == ["b/1.png", "b/2.png"]


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    fill(tmp_path / "elsewhere", ["1.png"])
    (tmp_path / "here").mkdir()
    (tmp_path / "here/cat").symlink_to(tmp_path / "elsewhere")
    assert load(tmp_path / "here").class_names == ("cat",)


def test_the_order_does_not_depend_on_how_the_system_lists_a_folder(tmp_path, monkeypatch):
    names = [f"{letter}/{i}.png" for letter in "cab" for i in range(4)]
    fill(tmp_path, names)
    scandir = os.scandir

    def backwards(path):
        with scandir(path) as entries:
            return nullcontext(sorted(entries, key=lambda entry: entry.name, reverse=True))

    monkeypatch.setattr(os, "scandir", backwards)
    assert list_pictures(tmp_path).pictures == sorted(names)


def test_a_folder_too_large_for_memory_is_streamed_with_the_same_pixels(tmp_path):
    fill(tmp_path, [f"{letter}/{i}.png" for letter in "ab" for i in range(5)], size=12)
    (tmp_path / "a/bad.png").write_text("x")
    held = load(tmp_path, memory_limit=10 * 144)
    streamed = load(tmp_path, memory_limit=10 * 144 - 1)
    assert isinstance(held.images, ArrayImages)
    assert isinstance(streamed.images, FolderImages)
    assert (held.skipped, held.class_names) == (streamed.skipped, streamed.class_names)
    assert streamed.images.shape == (12, 12, 1)
    indices = np.array([7, 0, 7, 3])
    np.testing.assert_array_equal(
        streamed.images.gather(indices), held.images.gather(indices), strict=True
    )


def test_a_streamed_picture_that_disappears_is_named(tmp_path):
    fill(tmp_path, ["a.png", "b.png"])
    dataset = load(tmp_path, memory_limit=0)
    (tmp_path / "b.png").unlink()
    with pytest.raises(KgenError, match=r"Cannot read '.*b\.png' any more \(No such file"):
        dataset.images.gather(np.arange(2))


@pytest.mark.parametrize("memory_limit", [0, None])
def test_progress_counts_every_picture(tmp_path, memory_limit):
    fill(tmp_path, ["a.png", "b.png", "c.png"])
    calls = []
    load(tmp_path, memory_limit=memory_limit, on_progress=lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_train_and_test_folders_are_splits_not_classes(tmp_path):
    fill(tmp_path, ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png"])
    train, test = load(tmp_path), load(tmp_path, split="test")
    assert (levels(train), train.class_names) == ([0, 10], ("cat", "dog"))
    assert levels(test) == [20]


def test_nothing_readable_is_an_error_that_names_some(tmp_path):
    (tmp_path / "a.png").write_text("x")
    (tmp_path / "b.png").symlink_to("nowhere")
    with pytest.raises(KgenError, match=r"None of the 2 pictures .*b\.png \(not a file\); a\.png"):
        load(tmp_path)


def test_nothing_decodable_is_an_error_too(tmp_path):
    fill(tmp_path, ["a.png"], size=40)
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-22])
    with pytest.raises(KgenError, match=r"None of the 1 pictures .*a\.png \(.*truncated"):
        load(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(KgenError, match=r"no PNG, JPEG, WebP or BMP picture .* an empty folder"):
        load(tmp_path)


def test_a_folder_of_other_files_is_an_error_that_says_what_they_are(tmp_path):
    for name in ("a.tiff", "b.tiff", "README"):
        (tmp_path / name).touch()
    with pytest.raises(KgenError, match=r"Received: files 2 .tiff, 1 without suffix"):
        load(tmp_path)


@pytest.mark.parametrize("place", ["", "cat"])
def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch, place):
    fill(tmp_path, ["cat/a.png"])
    scandir = os.scandir

    def refuse(path):
        if Path(path) == tmp_path / place:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(KgenError, match=r"Cannot list the folder '.*': Permission denied\."):
        load(tmp_path)
