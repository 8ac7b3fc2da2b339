"""Figures of numbers: what is drawn is what was given."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle

from kgen import pictures, plots
from kgen.errors import KgenError
from kgen.plots.style import CLASS_COLOURS


def vae_rows(epochs=3, kl_weight=1.0):
    rows = []
    for epoch in range(1, epochs + 1):
        reconstruction, kl = -100.0 * epoch, 5.0 + epoch
        row = {
            "loss": reconstruction + kl_weight * kl,
            "elbo": -reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "mse": 0.1 / epoch,
        }
        held_out = {f"val_{name}": value + 1.0 for name, value in row.items()}
        rows.append({"epoch": epoch, "step": 10 * epoch, **row, **held_out, "active_units": 4.0})
    return rows


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def rendered(figure):
    """Return the figure's pixels, uint8 (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def batch(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_curves_draw_the_rows_of_training_and_of_held_out_pictures():
    rows = vae_rows()
    figure = plots.curves(rows)
    axes = figure.axes[titles(figure).index("ELBO")]
    training, held_out = axes.lines
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(training.get_ydata(), [row["elbo"] for row in rows])
    np.testing.assert_array_equal(held_out.get_ydata(), [row["val_elbo"] for row in rows])
    assert (training.get_linestyle(), held_out.get_linestyle()) == ("-", "--")


def test_curves_of_a_gan_compare_its_two_players_with_the_optimum():
    row = {"epoch": 1, "d_loss": 1.2, "g_loss": 0.9, "d_real": 0.6, "d_fake": 0.4}
    references = {"d_loss": (np.log(4), "log 4"), "d_real": (0.5, ""), "elbo": (1.0, "")}
    losses, answers = plots.curves([row, {**row, "epoch": 2}], references).axes
    assert [line.get_ydata()[0] for line in losses.lines] == [1.2, 0.9, pytest.approx(np.log(4))]
    assert [text.get_text() for text in losses.texts] == ["log 4"]
    assert [line.get_ydata()[0] for line in answers.lines] == [0.6, 0.4, 0.5]
    assert answers.get_ylim() == (0, 1)


@pytest.mark.parametrize(("kl_weight", "drawn"), [(1.0, False), (4.0, True)])
def test_a_loss_is_drawn_unless_it_is_minus_the_elbo(kl_weight, drawn):
    assert ("Loss" in titles(plots.curves(vae_rows(kl_weight=kl_weight)))) is drawn


def test_a_metric_without_a_panel_gets_its_own():
    rows = [{"epoch": 1.0, "loss": 1.0, "sharpness": 2.0, "seconds": 3.0}]
    assert titles(plots.curves(rows)) == ["Loss", "sharpness"]


def test_values_that_are_not_finite_leave_a_gap():
    rows = [{"epoch": e, "loss": v} for e, v in enumerate([1.0, float("inf"), 3.0], 1)]
    (axes,) = plots.curves(rows).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1.0, np.nan, 3.0])


def test_a_single_epoch_is_seen_as_a_dot():
    (axes,) = plots.curves([{"epoch": 1, "loss": 1.0}]).axes
    assert axes.lines[0].get_marker() == "o"


def test_an_empty_history_gives_an_empty_figure():
    assert plots.curves([]).axes == []


def test_figures_neither_take_nor_leave_settings_of_matplotlib():
    with matplotlib.rc_context({"axes.facecolor": "red", "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        figure = plots.curves(vae_rows())
        assert dict(matplotlib.rcParams) == before
    assert to_hex(figure.axes[0].get_facecolor()) == "#ffffff"
    assert not figure.axes[0].title.get_usetex()


def test_pyplot_is_never_imported(subprocess_env):
    code = "import kgen.plots, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env=subprocess_env, check=True)


def test_saved_figures_have_the_pixels_asked_for(tmp_path):
    from PIL import Image

    path = tmp_path / "new" / "curves.png"
    plots.save_figure(path, plots.curves(vae_rows()))
    with Image.open(path) as image:
        assert image.size == (900, 520)
    assert [file.name for file in path.parent.iterdir()] == ["curves.png"]


def test_a_figure_that_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    figure = plots.curves(vae_rows())

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure, "savefig", full)
    with pytest.raises(KgenError, match="No space left"):
        plots.save_figure(path, figure)
    assert path.read_bytes() == b"old"


def space(n=40, **changes):
    rng = np.random.default_rng(1)
    values = {
        "title": "Space",
        "points": rng.normal(size=(n, 2)),
        "labels": np.arange(n) % 4,
        "prior": rng.normal(size=(5, 2)),
        "decoded": batch(5, 4, 4, 1),
    }
    return plots.LatentSpace(**(values | changes))


def test_latent_points_have_the_colours_of_their_classes():
    shown = space()
    axes = plots.latent_spaces([shown]).axes[0]
    points, prior = axes.collections
    np.testing.assert_array_equal(points.get_offsets(), shown.points)
    np.testing.assert_array_equal(prior.get_offsets(), shown.prior)
    assert [to_hex(colour) for colour in points.get_facecolors()] == [
        CLASS_COLOURS[label] for label in shown.labels
    ]


def test_a_class_is_numbered_at_its_centre():
    points = np.array([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0], [-1.0, 0.0]])
    axes = plots.latent_spaces([space(points=points, labels=np.array([7, 7, 7, 3]))]).axes[0]
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    assert texts == {"7": (1.0, 1.0), "3": (-1.0, 0.0)}


def test_circles_mark_one_and_two_deviations_of_the_prior():
    axes = plots.latent_spaces([space()]).axes[0]
    radii = [patch.get_radius() for patch in axes.patches if isinstance(patch, Circle)]
    assert radii == [1.0, 2.0]
    assert axes.get_aspect() == 1.0


def test_a_stray_point_does_not_shrink_the_others():
    points = np.random.default_rng(0).normal(size=(1000, 2))
    points[0] = (1e6, -1e6)
    axes = plots.latent_spaces([space(points=points, labels=None)]).axes[0]
    assert axes.get_xlim()[1] < 5


def test_every_draw_that_is_shown_decoded_is_inside():
    prior = np.array([[0.0, 0.0], [3.1, -0.5], [1.0, -2.9]])
    axes = plots.latent_spaces([space(prior=prior)]).axes[0]
    assert min(axes.get_xlim()[1], -axes.get_ylim()[0]) > 3.1


def test_latent_spaces_stand_side_by_side_above_their_pictures():
    figure = plots.latent_spaces([space(title="A"), space(title="B")])
    above_a, below_a, above_b, below_b = (axes.get_position() for axes in figure.axes)
    assert above_a.x1 <= above_b.x0
    assert below_a.y1 <= above_a.y0
    assert below_b.y1 <= above_b.y0


def test_a_latent_space_needs_neither_labels_nor_pictures():
    figure = plots.latent_spaces([space(labels=None, prior=None, decoded=None)])
    assert len(figure.axes) == 1


def test_more_classes_than_colours_use_the_colours_again():
    labels = np.arange(40) % 12
    names = tuple(f"class {i}" for i in range(12))
    figure = plots.latent_spaces([space(labels=labels, class_names=names)])
    colours = figure.axes[0].collections[0].get_facecolors()
    np.testing.assert_array_equal(colours[0], colours[10])
    assert not figure.legends


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_shows_its_pictures_pixel_for_pixel(channels):
    frames = batch(4, 2, 9, 7, channels)
    figure = plots.picture_strip(frames, [str(i) for i in range(4)], ["a", "b"], title="T")
    expected = np.asarray(pictures.strip(frames).convert("RGB"))
    height, width, _ = expected.shape
    pixels = rendered(figure)
    # The strip is in the lower right corner, inside a margin of 4 pixels.
    found = pixels[-4 - height : -4, -4 - width : -4]
    np.testing.assert_array_equal(found, expected)


def test_a_strip_has_its_labels_at_its_columns_and_rows():
    frames = batch(3, 2, 8, 8, 1)
    (axes,) = plots.picture_strip(frames, ["x", "y", "z"], ["a", "b"]).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["x", "y", "z"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    # 8 pixels at scale 8 and a gap of 2: a column every 66, and one gap more.
    np.testing.assert_allclose(axes.get_xticks(), np.array([0.5, 1.5, 2.5]) * 200 / 3 - 0.5)


def test_a_strip_of_large_pictures_is_made_smaller():
    figure = plots.picture_strip(batch(10, 1, 256, 256, 1))
    assert figure.get_size_inches()[0] * figure.dpi <= 1620
