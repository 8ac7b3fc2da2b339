"""One picture: every format and mode, against Pillow's own pixels or closed forms."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kgen.data.picture import UnreadablePictureError, convert, decode, read_header


def png(width: int, height: int, *, depth: int, kind: int, rows: bytes) -> bytes:
    """Write a PNG by its specification (kind 0 is grey, 2 is RGB)."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp"])
def test_lossless_formats_keep_every_pixel(tmp_path, photo, suffix):
    square = photo.crop((0, 0, 48, 48))
    square.save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(decode(tmp_path / f"a.{suffix}", 48, 3), np.asarray(square))


def test_the_content_not_the_name_says_which_format_it_is(tmp_path, photo):
    photo.save(tmp_path / "a.jpg", format="PNG")
    expected = convert(photo, 48, 3)
    np.testing.assert_array_equal(decode(tmp_path / "a.jpg", 48, 3), expected)


@pytest.mark.parametrize("size", [(1003, 801), (620, 612), (1001, 1007)])
def test_a_large_jpeg_decoded_at_a_fraction_of_its_size_looks_the_same(tmp_path, size):
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / 600
    rings = np.stack([np.sin(50 * np.hypot(x - c, y - 0.5)) for c in (0.2, 0.5, 0.8)], axis=-1)
    Image.fromarray(np.uint8(127.5 + 120 * rings)).save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        whole = convert(image, 28, 3)
    difference = abs(decode(tmp_path / "a.jpg", 28, 3).astype(int) - whole)
    # Measured: 4 levels at most inside, 1.3 on average; the last row and column, where a reduced
    # pixel is partly beyond the edge, up to 15. A middle off by half a reduced pixel: 8 on average.
    assert difference[:-1, :-1].max() <= 6
    assert difference.mean() <= 2


def test_the_largest_square_in_the_middle_is_resized_by_lanczos(photo):
    box = (8, 0, 56, 48)
    oracle = photo.resize((20, 20), Image.Resampling.LANCZOS, box=box)
    np.testing.assert_array_equal(convert(photo, 20, 3), np.asarray(oracle))


def test_a_picture_of_the_size_wanted_is_cut_without_resampling(photo):
    odd = photo.crop((0, 0, 63, 48))
    np.testing.assert_array_equal(convert(odd, 48, 3), np.asarray(odd)[:, 7:55])


def test_colour_becomes_grey_by_itu_r_601_luma(photo):
    rgb = np.asarray(photo.crop((8, 0, 56, 48)), dtype=np.float64)
    luma = rgb @ [0.299, 0.587, 0.114]
    # Pillow rounds its fixed-point sum: half a level, and 2^-16 for the coefficients.
    np.testing.assert_allclose(convert(photo, 48, 1)[..., 0], luma, atol=0.51)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB", "RGBA", "LA", "PA", "YCbCr", "HSV"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_the_channels_wanted(photo, mode, channels):
    source = photo.convert("L" if mode in ("1", "L", "LA") else "RGB")
    opaque = source.convert("P").convert("PA") if mode == "PA" else source.convert(mode)
    image = convert(opaque, 24, channels)
    assert (image.shape, image.dtype) == ((24, 24, channels), np.uint8)
    # Modes that lose detail keep the brightness: black-and-white dithers it, palettes round it.
    reference = convert(source, 24, channels)
    assert abs(image.mean() - reference.mean()) < 4


def test_transparent_parts_become_white_and_their_hidden_colour_does_not_bleed():
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[:, :4] = (255, 0, 0, 0)  # hidden red
    pixels[:, 4:] = (255, 255, 255, 255)
    image = convert(Image.fromarray(pixels), 5, 3)
    np.testing.assert_array_equal(image, np.full((5, 5, 3), 255))


def test_half_transparent_black_is_middle_grey_on_white():
    image = Image.new("LA", (4, 4), (0, 128))
    # 255 * (1 - 128/255) = 127, and a level for rounding.
    np.testing.assert_allclose(convert(image, 4, 1), 127, atol=1)


def test_a_palette_with_a_transparent_colour_becomes_white_there(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 2), 1)
    image.save(tmp_path / "a.png", transparency=0)
    pixels = decode(tmp_path / "a.png", 4, 3)
    np.testing.assert_array_equal(pixels[2, 1], [200, 100, 50])
    np.testing.assert_array_equal(pixels[0, 0], [255, 255, 255])


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257, 300], [128 * 257, 254 * 257, 65535], [1000, 40000, 65000]])
    image = Image.fromarray(values.astype(np.uint16))
    image.save(tmp_path / "a.png")
    assert read_header(tmp_path / "a.png").grey
    # 65535 = 255 * 257; half a level of rounding.
    np.testing.assert_allclose(decode(tmp_path / "a.png", 3, 1)[..., 0], values / 257, atol=0.5)


def test_16_bit_colour_keeps_its_upper_byte(tmp_path):
    pixels = np.array([[[0, 32768, 65535], [257, 0, 40000]]] * 2, dtype=">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    (tmp_path / "a.png").write_bytes(png(2, 2, depth=16, kind=2, rows=rows))
    # Within a level: Pillow keeps the upper byte rather than rounding.
    np.testing.assert_allclose(decode(tmp_path / "a.png", 2, 3), pixels / 257, atol=1)


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_a_camera_held_sideways_gives_an_upright_picture(tmp_path, orientation):
    upright = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](upright)))
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 9, 3), upright)


def test_the_first_picture_of_an_animation_counts(tmp_path, photo):
    square = photo.crop((0, 0, 48, 48))
    square.save(
        tmp_path / "a.webp", save_all=True, append_images=[square.rotate(90)], lossless=True
    )
    np.testing.assert_array_equal(decode(tmp_path / "a.webp", 48, 3), np.asarray(square))


def test_a_header_gives_size_and_kind(tmp_path, photo):
    photo.save(tmp_path / "a.jpg")
    header = read_header(tmp_path / "a.jpg")
    assert (header.height, header.width, header.grey) == (48, 64, False)


@pytest.mark.parametrize("side", [12_000, 60_000], ids=["beyond the limit", "beyond twice"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_unreadable(tmp_path, side):
    (tmp_path / "a.png").write_bytes(png(side, side, depth=8, kind=0, rows=b"\0" * 1000))
    with pytest.raises(UnreadablePictureError, match=r"too large|decompression bomb"):
        read_header(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_a_file_cut_short_is_unreadable(tmp_path, suffix):
    path: Path = tmp_path / f"a.{suffix}"
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    for length in range(0, int(len(whole) * 0.9), 40):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadablePictureError) as caught:
            decode(path, 16, 3)
        assert "\n" not in str(caught.value)


def test_formats_that_are_not_offered_are_not_decoded(tmp_path, photo):
    photo.save(tmp_path / "a.png", format="GIF")
    with pytest.raises(UnreadablePictureError, match="not a PNG, JPEG, WebP or BMP"):
        decode(tmp_path / "a.png", 16, 3)


def test_running_out_of_memory_is_not_the_pictures_fault(tmp_path, photo, monkeypatch):
    photo.save(tmp_path / "a.png")

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError):
        decode(tmp_path / "a.png", 16, 3)
