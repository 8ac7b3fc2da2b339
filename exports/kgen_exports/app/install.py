"""What makes a site installable: its web app manifest, and icons of pictures that it draws."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kgen.files import replacing, write_text
from kgen_exports.app.models import Model

MANIFEST = "manifest.webmanifest"
DARK = "#14171a"
"""Behind the icon's pictures, and of the window while the app starts."""
SIDES = (192, 512)
"""Pixels of an icon's side: what browsers ask for before they offer to install."""
SHOWN = 0.88
"""Share of an icon's side that the pictures take."""
SAFE = 0.56
"""The same of a maskable icon: the square in the circle of 40 % radius that every mask leaves."""
GAP = 0.03
"""Between pictures, as a share of their field."""


def write(folder: Path, models: Sequence[Model], title: str) -> None:
    """Write the manifest and the icons of a site.

    Args:
        folder: of the site.
        models: whose golden pictures are shown.
        title: of the app.
    """
    pictures = _pictures(models)
    icons = []
    for purpose, name, share in (("any", "icon", SHOWN), ("maskable", "maskable", SAFE)):
        for side in SIDES:
            path = f"icons/{name}-{side}.png"
            with replacing(folder / path) as temporary:
                draw(pictures, side, share).save(temporary, format="PNG", optimize=True)
            icons.append(
                {"src": path, "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
            )
    # No id: an app is told apart by its start_url then, which holds the site's path. A relative id
    # would be taken from the origin's root, and two sites on one origin would be one app.
    manifest = {
        "name": title,
        "short_name": title if len(title) <= 12 else "kgen",
        "description": "Pictures drawn on this device by models made with kgen.",
        "lang": "en",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": DARK,
        "theme_color": DARK,
        "icons": icons,
    }
    write_text(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def draw(pictures: list[Image.Image], side: int, share: float) -> Image.Image:
    """Draw an icon: one or four pictures in the middle.

    Args:
        pictures: RGB; the first is shown, or the first four.
        side: of the icon, in pixels.
        share: of the side that the pictures may take.

    Returns:
        RGB (side, side).
    """
    icon = Image.new("RGB", (side, side), DARK)
    count = 2 if len(pictures) >= 4 else 1
    field = int(side * share)
    gap = round(field * GAP) if count > 1 else 0
    cell = (field - gap * (count - 1)) // count
    start = (side - cell * count - gap * (count - 1)) // 2
    for index, picture in enumerate(pictures[: count * count]):
        scaled = _fit(picture, cell)
        row, column = divmod(index, count)
        left = start + column * (cell + gap) + (cell - scaled.width) // 2
        top = start + row * (cell + gap) + (cell - scaled.height) // 2
        icon.paste(scaled, (left, top))
    return icon


def _fit(picture: Image.Image, cell: int) -> Image.Image:
    """Scale a picture to a square cell's longer side, keeping the edges of enlarged pixels."""
    longest = max(picture.size)
    factor = -(-cell // longest)
    enlarged = picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )
    width, height = (max(1, round(length * cell / longest)) for length in picture.size)
    return enlarged.resize((width, height), Image.Resampling.BOX)


def _pictures(models: Sequence[Model]) -> list[Image.Image]:
    """Take golden pictures of every model in turn, four in all."""
    drawn = [_drawn(model) for model in models]
    order = [images[i] for i in range(4) for images in drawn if i < len(images)]
    return [Image.fromarray(np.broadcast_to(image, (*image.shape[:2], 3))) for image in order[:4]]


def _drawn(model: Model) -> np.ndarray:
    """Return a model's golden pictures, uint8 (n, height, width, channels)."""
    golden = model.bundle.golden()
    part = "sampler" if model.manifest.kind == "ddpm" else model.drawing
    return model.bundle.pictures(golden[f"{part}/out/image"])
