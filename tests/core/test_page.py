"""What all pages for people have in common."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from kgen import page
from kgen.page import drawing
from kgen.plots import styled

EVIL = """<script>alert('1')</script>&"quoted\""""


def test_text_is_never_markup_and_nothing_is_a_dash():
    assert page.text(EVIL) == (
        "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;&quot;quoted&quot;"
    )
    assert page.text(None) == "-"
    assert page.text(0) == "0"


@pytest.mark.parametrize(
    "made",
    [
        page.document(EVIL, []),
        page.facts({EVIL: EVIL}),
        page.scroll("", EVIL),
        page.table(page.columns([EVIL], [EVIL]), "", EVIL),
    ],
    ids=["document", "facts", "scroll", "table"],
)
def test_no_piece_lets_markup_through(made):
    assert "<script" not in made
    assert '"quoted"' not in made


def test_a_page_asks_nothing_of_the_network():
    made = page.document("Title", ["<h1>One</h1>", "", "<p>two</p>"])
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in made
    assert "<main>\n<h1>One</h1>\n<p>two</p>\n</main>" in made
    assert re.findall(r"https?:|url\(|@import", made) == []


def test_a_picture_comes_back_from_its_address():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    kind, _, coded = page.address(Image.fromarray(pixels)).partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(coded))) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)


@styled
def lines(names):
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    for name in names:
        axes.plot([1, 2], [1, 2], label=name)
    drawing.inked(axes)
    drawing.legend(figure)
    return figure


def test_a_drawing_follows_the_colour_of_the_text():
    made = drawing.svg(lines(["a"]), "one", EVIL)
    assert made.startswith("<svg")
    assert "currentColor" in made
    assert drawing.INK not in made
    assert "<script" not in made
    # Nothing else is black or white, which one of the two themes would swallow.
    assert re.findall(r"#(?:000000|ffffff)\b", made) == []


def test_drawings_in_one_page_do_not_share_names():
    first, second = (drawing.svg(lines(["a"]), name, "x") for name in ("one", "two"))
    names = [set(re.findall(r'\bid="([^"]+)"', made)) for made in (first, second)]
    assert names[0]
    assert names[0] & names[1] == set()
    for made, known in zip((first, second), names, strict=True):
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', made)) <= known


def test_a_dollar_in_a_name_is_a_dollar():
    # Taken for mathematics, an odd name would raise where the drawing is written.
    assert drawing.svg(lines([r"$\nonsense$"]), "one", "x")
