"""Pictures: layout by pixel, files read back, errors in one line."""

import numpy as np
import pytest
from PIL import Image

from kgen import pictures
from kgen.errors import KgenError


def batch(count, height=3, width=2, channels=1, seed=0):
    shape = (count, height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_grid_puts_each_picture_at_its_row_and_column_with_white_between():
    images = batch(5)
    drawn = np.asarray(pictures.grid(images, columns=3, pad=1, scale=1))
    expected = np.full((2 * 4 + 1, 3 * 3 + 1), 255, np.uint8)
    for index, (top, left) in enumerate([(1, 1), (1, 4), (1, 7), (5, 1), (5, 4)]):
        expected[top : top + 3, left : left + 2] = images[index, ..., 0]
    np.testing.assert_array_equal(drawn, expected)


def test_grid_repeats_each_pixel_when_it_enlarges():
    image = batch(1, channels=3)
    drawn = np.asarray(pictures.grid(image, pad=0, scale=3))
    np.testing.assert_array_equal(drawn, np.kron(image[0], np.ones((3, 3, 1), np.uint8)))


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (5, 3, 2), (64, 8, 8)])
def test_grid_is_as_square_as_it_can_be(count, columns, rows):
    drawn = pictures.grid(batch(count), pad=0, scale=1)
    assert drawn.size == (2 * columns, 3 * rows)


def test_grid_has_no_more_columns_than_pictures():
    assert pictures.grid(batch(2), columns=9, pad=0, scale=1).size == (4, 3)


@pytest.mark.parametrize(("side", "scale"), [(8, 8), (28, 2), (32, 2), (64, 1), (512, 1)])
def test_grid_enlarges_small_pictures_by_itself(side, scale):
    assert pictures.grid(batch(1, side, side), pad=0).size == (side * scale, side * scale)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_grid_keeps_grey_and_colour(channels, mode):
    assert pictures.grid(batch(4, channels=channels)).mode == mode


def test_strip_has_a_row_per_picture_and_a_column_per_frame():
    frames = np.stack([batch(2, seed=seed) for seed in range(4)])
    drawn = np.asarray(pictures.strip(frames, pad=0, scale=1))
    assert drawn.shape == (2 * 3, 4 * 2)
    np.testing.assert_array_equal(drawn[3:, 4:6], frames[2, 1, ..., 0])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 3, 2, 1), np.uint8),
        np.zeros((3, 2, 1), np.uint8),
        np.zeros((1, 3, 2, 2), np.uint8),
        np.zeros((1, 3, 2, 1), np.float32),
        "picture",
    ],
)
def test_grid_refuses_what_is_not_a_batch_of_pictures(images):
    with pytest.raises(KgenError, match=r"uint8 array .* Received: shape="):
        pictures.grid(images)


def test_png_reads_back_the_same_pixels(tmp_path):
    images = batch(1, 3, 3, channels=3)
    pictures.save_png(tmp_path / "new" / "a.png", pictures.grid(images, pad=0, scale=1))
    read = pictures.read_picture(tmp_path / "new" / "a.png", (3, 3, 3))
    np.testing.assert_array_equal(read, images[0])


def test_gif_has_every_frame_repeats_and_rests_on_the_last(tmp_path):
    frames = np.stack([batch(4, seed=seed) for seed in range(5)])
    pictures.save_gif(tmp_path / "a.gif", frames, fps=20, scale=1)
    with Image.open(tmp_path / "a.gif") as read:
        assert read.info["loop"] == 0
        durations = []
        for index in range(read.n_frames):
            read.seek(index)
            durations.append(read.info["duration"])
            # GIF keeps 256 grey levels, so that grey frames come back bit for bit.
            drawn = np.asarray(pictures.grid(frames[index], scale=1))
            np.testing.assert_array_equal(np.asarray(read.convert("L")), drawn)
    assert durations == [50] * 4 + [pictures.LAST_FRAME_MILLISECONDS]


@pytest.mark.parametrize("fps", [0, -1, 51, float("nan")])
def test_gif_refuses_a_rate_out_of_range(tmp_path, fps):
    with pytest.raises(KgenError, match="fps takes above 0, at most 50"):
        pictures.save_gif(tmp_path / "a.gif", batch(2)[None], fps=fps)
    assert not list(tmp_path.iterdir())


def test_files_are_numbered_in_order_and_leave_others_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    images = batch(3, 3, 3)
    paths = pictures.save_files(tmp_path, images)
    assert [path.name for path in paths] == ["0000.png", "0001.png", "0002.png"]
    for path, image in zip(paths, images, strict=True):
        np.testing.assert_array_equal(pictures.read_picture(path, (3, 3, 1)), image)
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_npz_reads_back_images_and_what_goes_with_them(tmp_path):
    images, labels = batch(3), np.arange(3, dtype=np.int32)
    pictures.save_npz(tmp_path / "a.npz", images, labels=labels)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        np.testing.assert_array_equal(read["images"], images)
        np.testing.assert_array_equal(read["labels"], labels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_npz_refuses_another_suffix(tmp_path):
    with pytest.raises(KgenError, match=r"named something\.npz"):
        pictures.save_npz(tmp_path / "a.zip", batch(1))


def test_picture_of_another_size_is_cropped_at_the_centre_and_scaled(tmp_path):
    # Black at both ends, a white middle wider than the centre square by the filter's reach.
    wide = np.zeros((20, 80), np.uint8)
    wide[:, 10:70] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    read = pictures.read_picture(tmp_path / "wide.png", (4, 4, 1))
    assert read.shape == (4, 4, 1)
    assert read.min() == 255


def test_colour_becomes_what_the_model_takes(tmp_path):
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "red.png")
    assert pictures.read_picture(tmp_path / "red.png", (4, 4, 3))[0, 0].tolist() == [255, 0, 0]
    # ITU-R 601-2 luma: 0.299 * 255
    assert pictures.read_picture(tmp_path / "red.png", (4, 4, 1))[0, 0].tolist() == [76]


def test_missing_picture_is_named(tmp_path):
    with pytest.raises(KgenError, match=r"the picture .*none\.png: No such file"):
        pictures.read_picture(tmp_path / "none.png", (4, 4, 1))


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_file_that_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "text.png").write_bytes(content)
    with pytest.raises(KgenError, match=r"text\.png: not a PNG, JPEG, WebP or BMP picture"):
        pictures.read_picture(tmp_path / "text.png", (4, 4, 1))


def test_truncated_picture_is_named(tmp_path):
    path = tmp_path / "half.png"
    Image.fromarray(batch(1, 64, 64)[0, ..., 0]).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(KgenError, match=r"the picture .*half\.png: .*truncated"):
        pictures.read_picture(path, (64, 64, 1))


def test_model_that_is_not_square_is_refused(tmp_path):
    with pytest.raises(KgenError, match=r"read as squares. Received: a model of 4 x 8"):
        pictures.read_picture(tmp_path / "a.png", (4, 8, 1))


def test_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    pictures.save_png(path, pictures.grid(batch(1)))
    before = path.read_bytes()

    def full_disk(*_args, **_keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(KgenError, match="No space left on device"):
        pictures.save_png(path, pictures.grid(batch(2)))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
