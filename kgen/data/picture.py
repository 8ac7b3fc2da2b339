"""One picture: read any file that Pillow can, and bring it to the size and channels wanted.

Every source uses :func:`convert`, so a picture becomes the same pixels whether it comes from a file
or from an array. Importing this module imports Pillow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image

# Pillow is held to these: its other decoders are rarely wanted and seldom hardened.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")


# EXIF's orientation tag, and how to undo each value (EXIF 2.3, section 4.6.4 A).
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadablePictureError(Exception):
    """A file is not a picture that can be used; the message is the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a picture's file says of itself: height and width in pixels, and whether it is grey."""

    height: int
    width: int
    grey: bool


def read_header(path: Path) -> Header:
    """Read size and kind without decoding the pixels.

    Raises:
        UnreadablePictureError: the file is no picture, or a decompression bomb: it announces more
            than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
            grey = image.mode in _GREY_MODES
    except Exception as error:
        _refuse(error)
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        raise UnreadablePictureError(f"too large: {width} x {height} pixels")
    return Header(height=height, width=width, grey=grey)


def decode(path: Path, image_size: int, channels: int) -> np.ndarray:
    """Decode a file and convert it; the first picture of an animation counts.

    Returns:
        uint8 (image_size, image_size, channels) in [0, 255].

    Raises:
        UnreadablePictureError: the file cannot be decoded to its end.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size: a photo of 12 megapixels in 20 ms
            # in place of 170. Four times the size wanted keeps the result within a few grey
            # levels (twice does not). Other formats ignore this.
            draft = image.draft(None, (4 * image_size, 4 * image_size))
            image.load()
            # The last row and column of a reduced picture may be partly beyond the original's edge.
            extent = draft[1][2:] if draft else image.size
            turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
            square = _square(image, image_size, channels, extent)
    except Exception as error:
        _refuse(error)
    # The middle square is the same however the camera was held: turning it last is cheapest.
    return _pixels(square if turn is None else square.transpose(turn), channels)


def convert(image: Image.Image, image_size: int, channels: int) -> np.ndarray:
    """Bring a picture to a square of the size and the channels wanted.

    The largest square in the middle is resized with Lanczos's filter. Transparent parts become
    white. RGB becomes grey by ITU-R 601-2 luma, L = 0.299 R + 0.587 G + 0.114 B.

    Returns:
        uint8 (image_size, image_size, channels) in [0, 255].
    """
    return _pixels(_square(image, image_size, channels, image.size), channels)


def _square(
    image: Image.Image, image_size: int, channels: int, extent: tuple[float, float]
) -> Image.Image:
    """Convert the part of a picture from its upper left corner to `extent` (width, height)."""
    image = _opaque(image).convert("L" if channels == 1 else "RGB")
    side = min(extent)
    left, top = (extent[0] - side) / 2, (extent[1] - side) / 2
    if side == image_size:
        left, top = int(left), int(top)
        return image.crop((left, top, left + image_size, top + image_size))
    box = (left, top, left + side, top + side)  # in fractions: pixels of a reduced JPEG are large
    return image.resize((image_size, image_size), Image.Resampling.LANCZOS, box=box)


def _pixels(image: Image.Image, channels: int) -> np.ndarray:
    """Return the pixels of a grey or RGB picture with an axis for the channels."""
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def _opaque(image: Image.Image) -> Image.Image:
    """Return the picture in 8 bits, on white where it is transparent."""
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips at 255 where it ought to scale.
        wide = np.clip(np.asarray(image, dtype=np.int64), 0, 65_535)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        # Before any resizing, or the hidden colour of transparent pixels bleeds into the edges.
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image)
    return image


def _refuse(error: Exception) -> NoReturn:
    """Turn whatever a decoder raised into a reason; it may raise anything on a damaged file."""
    if isinstance(error, MemoryError):
        raise error
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if "cannot identify image file" in reason:
        reason = "not a PNG, JPEG, WebP or BMP picture"
    raise UnreadablePictureError(" ".join(reason.split())) from error
