"""Pictures to look at and to keep: grids, strips, animations, numbered files.

Pictures are uint8 arrays in [0, 255] with axes (n, height, width, channels), channels 1 (grey) or
3 (RGB). Every file is written whole or not at all.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgen import files
from kgen.errors import KgenError

# NumPy and Pillow are imported by the functions that use them, to keep the command line's start
# quick; see benchmarks/startup.py.
if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

BACKGROUND = 255
"""Grey level between pictures: white, so that the edge of a dark picture shows."""

SCALED_SIDE = 64
"""Pixels up to which a grid enlarges small pictures if no scale is asked for."""

BATCH = 128
"""Pictures that a model draws at a time."""

LAST_FRAME_MILLISECONDS = 2000
"""How long an animation rests on its last frame before it starts again."""


def to_uint8(x: "np.ndarray", low: float, high: float) -> "np.ndarray":
    """Map floats in [low, high] to uint8 in [0, 255], rounding to nearest and clipping."""
    import numpy as np

    return np.clip(np.round((x - low) * (255.0 / (high - low))), 0, 255).astype(np.uint8)


def grid(
    images: "np.ndarray", columns: int | None = None, pad: int = 2, scale: int | None = None
) -> "Image":
    """Lay pictures out in rows, left to right, top to bottom.

    Args:
        images: uint8 (n, H, W, C).
        columns: pictures in a row; None makes the grid as square as it can be.
        pad: white pixels around every picture, after scaling.
        scale: each pixel becomes a square of scale x scale; None enlarges small pictures.

    Returns:
        A Pillow image, mode L or RGB, of rows * (H*scale + pad) + pad pixels in height.

    Raises:
        KgenError: the array is not a batch of pictures, or is empty.
    """
    import numpy as np
    from PIL import Image

    _check_batch(images, "(n, height, width, channels)", 4)
    count, height, width, channels = images.shape
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    rows = math.ceil(count / columns)
    scale = scale or max(1, SCALED_SIDE // max(height, width))
    cell_h, cell_w = height * scale + pad, width * scale + pad
    canvas = np.full(
        (rows * cell_h + pad, columns * cell_w + pad, channels), BACKGROUND, dtype=np.uint8
    )
    for index, image in enumerate(images):
        top = index // columns * cell_h + pad
        left = index % columns * cell_w + pad
        enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
        canvas[top : top + height * scale, left : left + width * scale] = enlarged
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)


def strip(frames: "np.ndarray", pad: int = 2, scale: int | None = None) -> "Image":
    """Show pictures as they change: one row per picture, one column per frame.

    Args:
        frames: uint8 (frames, n, H, W, C).
        pad: white pixels around every picture.
        scale: as in :func:`grid`.

    Raises:
        KgenError: the array is not a sequence of batches of pictures, or is empty.
    """
    _check_batch(frames, "(frames, n, height, width, channels)", 5)
    rows = frames.swapaxes(0, 1)  # (n, frames, H, W, C)
    return grid(rows.reshape(-1, *frames.shape[2:]), columns=len(frames), pad=pad, scale=scale)


def save_png(path: Path, image: "Image") -> None:
    """Write one picture as PNG.

    Raises:
        KgenError: it cannot be written.
    """
    with files.replacing(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)


def save_gif(path: Path, frames: "np.ndarray", fps: float = 12.0, scale: int | None = None) -> None:
    """Write pictures as they change: an animated grid that repeats, resting on its last frame.

    Args:
        path: the file, by convention `.gif`.
        frames: uint8 (frames, n, H, W, C).
        fps: frames per second, at most 50 (viewers slow down what is faster).
        scale: as in :func:`grid`.

    Raises:
        KgenError: the array is not a sequence of batches of pictures, `fps` is out of range, or
            the file cannot be written.
    """
    _check_batch(frames, "(frames, n, height, width, channels)", 5)
    if not 0 < fps <= 50:
        raise KgenError(f"fps takes above 0, at most 50. Received: fps={fps!r}.")
    grids = [grid(frame, scale=scale) for frame in frames]
    milliseconds = round(100 / fps) * 10  # the format counts hundredths of a second
    durations = [milliseconds] * (len(grids) - 1) + [LAST_FRAME_MILLISECONDS]
    with files.replacing(path) as temporary:
        grids[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=grids[1:],
            duration=durations,
            loop=0,
        )


def save_files(folder: Path, images: "np.ndarray") -> list[Path]:
    """Write each picture as a numbered PNG: `0000.png`, `0001.png`, ...

    Args:
        folder: made if it is not there; other files in it stay.
        images: uint8 (n, H, W, C).

    Returns:
        The files, in the order of the pictures.

    Raises:
        KgenError: the array is not a batch of pictures, or a file cannot be written.
    """
    from PIL import Image

    _check_batch(images, "(n, height, width, channels)", 4)
    digits = max(4, len(str(len(images) - 1)))
    paths = [folder / f"{index:0{digits}d}.png" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        save_png(path, Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image))
    return paths


def save_npz(path: Path, images: "np.ndarray", **arrays: Any) -> None:
    """Write pictures, and any arrays beside them, as a compressed `.npz` that `--data` reads back.

    Args:
        path: the file; its suffix must be `.npz` (NumPy would add one to the temporary name).
        images: uint8 (n, H, W, C), stored as `images`.
        **arrays: further arrays by name, such as `labels` int32 (n,).

    Raises:
        KgenError: the suffix is another, or the file cannot be written.
    """
    import numpy as np

    if path.suffix != ".npz":
        raise KgenError(f"An array file is named something.npz. Received: path={str(path)!r}.")
    with files.replacing(path) as temporary:
        np.savez_compressed(temporary, images=images, **arrays)


def read_picture(path: Path, image_shape: tuple[int, int, int]) -> "np.ndarray":
    """Read one picture file as a model takes it, the way training pictures are read.

    Args:
        path: a PNG, JPEG, WebP or BMP file of any size and mode.
        image_shape: (height, width, channels) wanted; 1 channel turns colour into grey.

    Returns:
        uint8 (H, W, C): the centre square, resized.

    Raises:
        KgenError: there is no such file, it is not a picture, or the shape is not square.
    """
    from kgen.data.picture import UnreadablePictureError, decode, read_header

    height, width, channels = image_shape
    if height != width:
        raise KgenError(
            "Picture files are read as squares. "
            f"Received: a model of {height} x {width} pixels. Give it arrays instead."
        )
    try:
        read_header(path)
        return decode(path, height, channels)
    except UnreadablePictureError as error:
        raise KgenError(
            f"Cannot read the picture {path}: {error}. Give a whole PNG, JPEG, WebP or BMP file."
        ) from error


def _check_batch(images: Any, axes: str, rank: int) -> None:
    """Refuse what is not a non-empty uint8 array of pictures."""
    shape = tuple(getattr(images, "shape", ()))
    dtype = str(getattr(images, "dtype", type(images)))
    if len(shape) != rank or shape[rank - 1] not in (1, 3) or 0 in shape or dtype != "uint8":
        raise KgenError(
            f"Pictures are a uint8 array {axes} with 1 or 3 channels and at least one picture. "
            f"Received: shape={shape}, dtype={dtype}."
        )
