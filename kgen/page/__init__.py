"""Pages for people: each whole in itself, without script or network, light or dark, wide or narrow.

What the reports of exports, of evaluations and of comparisons have in common. Everything that
comes from a run or a file goes through :func:`text`.
"""

import base64
import html
import io
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image


def text(value: Any) -> str:
    """Write a value so that no page takes it for markup; nothing as a dash."""
    return "-" if value is None else html.escape(str(value))


def document(title: str, body: Iterable[str]) -> str:
    """Put a page together.

    Args:
        title: of the window; plain text.
        body: pieces of markup; empty ones are left out.
    """
    css = resources.files("kgen.page").joinpath("page.css").read_text(encoding="utf-8")
    content = "".join(f"{piece}\n" for piece in body if piece)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # The page asks nothing of the network, and whatever is in it may not either.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{text(title)}</title>\n<style>\n{css}</style>\n</head>\n"
        f"<body>\n<main>\n{content}</main>\n</body>\n</html>\n"
    )


def facts(entries: Mapping[str, Any]) -> str:
    """List facts by name."""
    rows = (f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in entries.items())
    return f"<dl>{''.join(rows)}</dl>"


def scroll(content: str, described: str) -> str:
    """Put what may be wider than the page into a box that scrolls by itself, by keyboard too."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(described)}">'
        f"{content}</div>"
    )


def table(head: str, bodies: str, described: str) -> str:
    """Make a table in a box of its own.

    Args:
        head: the headings, from :func:`columns`.
        bodies: one or several ``tbody``.
        described: what the table says.
    """
    return scroll(f"<table><thead><tr>{head}</tr></thead>{bodies}</table>", described)


def columns(words: Iterable[str] = (), numbers: Iterable[str] = ()) -> str:
    """Write headings of columns: first those of words, then those of numbers."""
    left = "".join(f'<th scope="col" class="left">{text(name)}</th>' for name in words)
    return left + "".join(f'<th scope="col">{text(name)}</th>' for name in numbers)


def address(image: "Image") -> str:
    """Write a picture as a PNG into an address for ``<img src>``."""
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    coded = base64.b64encode(file.getvalue()).decode("ascii")
    return f"data:image/png;base64,{coded}"
