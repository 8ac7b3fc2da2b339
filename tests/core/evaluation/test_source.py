"""What is evaluated: pictures come in lots, each from a seed of its own."""

import numpy as np
import pytest
from PIL import Image

from kgen.errors import KgenError
from kgen.evaluation.record import Target
from kgen.evaluation.source import LOT, Drawing, PictureSource

pytestmark = pytest.mark.backend


class Painter(Drawing):
    """Paints a lot in one grey level, that of its seed, and notes what it was asked."""

    def __init__(self):
        super().__init__(Target(name="painter", kind="run"), (8, 8, 1), "paint")
        self.asked = []

    def lot(self, count, seed, progress):
        self.asked.append((count, seed))
        progress(1, 2)
        progress(2, 2)
        return np.full((count, 8, 8, 1), seed, np.uint8)


def test_pictures_are_drawn_in_lots_from_one_seed_on():
    painter, done = Painter(), []
    lots = list(painter.draw(2 * LOT + 7, 5, lambda i, n: done.append((i, n))))
    assert painter.asked == [(LOT, 5), (LOT, 6), (7, 7)]
    assert [len(lot) for lot in lots] == [LOT, LOT, 7]
    n = 2 * LOT + 7
    assert done == [(LOT // 2, n), (LOT, n), (LOT + LOT // 2, n), (2 * LOT, n), (2 * LOT + 3, n),
                    (n, n)]  # fmt: skip


def test_the_time_of_a_picture_leaves_the_first_lot_out_which_compiles(monkeypatch):
    clock = iter([0.0, 100.0, 100.0, 101.0, 101.0, 104.0])
    monkeypatch.setattr("kgen.evaluation.source.time.perf_counter", lambda: next(clock))
    painter = Painter()
    assert painter.timed().seconds_per_picture is None
    list(painter.draw(3 * LOT, 0, lambda i, n: None))
    assert painter.timed().seconds_per_picture == 4.0 / (2 * LOT)


@pytest.fixture
def made(tmp_path):
    """Write 250 pictures of 8 x 8."""
    images = np.arange(250, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 1), np.uint8)
    np.savez(tmp_path / "made.npz", images=images)
    return str(tmp_path / "made.npz")


def test_pictures_made_elsewhere_are_handed_over_evenly_and_once(made):
    source = PictureSource(made, (8, 8, 1))
    [lot] = source.draw(125, 9, lambda i, n: None)
    np.testing.assert_array_equal(lot[:, 0, 0, 0], np.arange(0, 250, 2))
    assert (len(source), source.target.kind, source.target.name) == (250, "pictures", "made")


@pytest.mark.parametrize(
    ("shape", "words"), [((16, 16, 1), "16 x 16 grey"), ((8, 8, 3), "8 x 8 in colour")]
)
def test_pictures_of_another_size_or_colour_are_refused_and_not_scaled(made, shape, words):
    with pytest.raises(KgenError, match=rf"{words}\. Received: 8 x 8 grey\. Scale them first"):
        PictureSource(made, shape)


def test_pictures_that_cannot_be_read_are_told_of(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_text("no picture")
    [sentence] = PictureSource(str(tmp_path), (8, 8, 1)).warnings
    assert sentence.startswith("1 picture of ")
    assert "bad.png" in sentence


def test_more_pictures_than_there_are_say_so(made):
    with pytest.raises(KgenError, match=r"holds 250 pictures\. Received: n=251"):
        list(PictureSource(made, (8, 8, 1)).draw(251, 0, lambda i, n: None))
