"""What a finished run leaves behind, and the docs' figures that need no run."""

import importlib

import numpy as np
import pytest
from PIL import Image

from kgen import figures, models, pictures
from kgen.run import Run
from tests.core import tiny
from tests.golden.values import GOLDEN

pytestmark = pytest.mark.backend

SHAPE = (16, 16, 1)
ALWAYS = {"final.png", "progress.png"}
WRITTEN = {
    "gan": ALWAYS | {"interpolation.png"},
    "ae": ALWAYS | {"reconstructions.png", "latent.png"},
    "vae": ALWAYS | {"reconstructions.png", "latent.png"},
    "ddpm": ALWAYS | {"forward.png", "trajectory.png"},
}


def model_of(run: Run):
    return models.build(run.config, SHAPE)


def finished(family, folder, name, updated="2026-01-01", status="finished", **overrides):
    """Make a run that looks trained: its model is fresh, its summary says `status`."""
    run = tiny.new_run(family, folder, name, **overrides)
    models.save(model_of(run), run.model_file)
    run.write_summary({"status": status, "image_shape": list(SHAPE), "updated": updated})
    return run


def tiles(count, shape, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("family", sorted(WRITTEN))
def test_each_family_leaves_its_pictures(family, tmp_path):
    run = tiny.new_run(family, tmp_path)
    pictures.save_png(run.samples / "epoch-0001.png", pictures.grid(tiles(4, SHAPE, 0)))
    images, labels = tiny.pictures(12), np.arange(12) % 3
    written = figures.final(run, model_of(run), images, labels)
    assert {path.name for path in written} == WRITTEN[family]
    for path in written:
        with Image.open(path) as image:
            assert min(image.size) > 60


def test_pictures_without_labels_are_enough(tmp_path):
    run = tiny.new_run("vae", tmp_path)
    written = figures.final(run, model_of(run), tiny.pictures(3), None)
    assert {path.name for path in written} == WRITTEN["vae"] - {"progress.png"}


@pytest.mark.parametrize("shape", [(16, 16, 1), (12, 20, 3), (80, 80, 1)])
@pytest.mark.parametrize("count", [1, 5, 64])
def test_the_first_tiles_of_a_grid_are_the_pictures_it_was_made_of(shape, count, tmp_path):
    path = tmp_path / "grid.png"
    images = tiles(count, shape, count)
    pictures.save_png(path, pictures.grid(images))
    np.testing.assert_array_equal(figures.first_tiles(path, count, shape), images[:6])


def test_a_damaged_or_foreign_grid_has_no_tiles(tmp_path):
    path = tmp_path / "grid.png"
    pictures.save_png(path, pictures.grid(tiles(9, SHAPE, 0)))
    assert figures.first_tiles(path, 16, SHAPE) is None
    path.write_bytes(path.read_bytes()[:200])
    assert figures.first_tiles(path, 9, SHAPE) is None
    path.write_bytes(b"no picture")
    assert figures.first_tiles(path, 9, SHAPE) is None


def test_progress_compares_ten_epochs_with_the_first_and_the_last(tmp_path):
    run = tiny.new_run("gan", tmp_path)
    for epoch in range(1, 10_002, 400):
        path = run.samples / f"epoch-{epoch:04d}.png"
        pictures.save_png(path, pictures.grid(tiles(4, SHAPE, epoch)))
    drawing = figures.progress(run, SHAPE)["progress"]
    labels = [tick.get_text() for tick in drawing.axes[0].get_xticklabels()]
    assert (len(labels), labels[0], labels[-1]) == (10, "epoch 1", "10001")


@pytest.mark.parametrize(("labels", "chosen"), [
    (np.array([0, 0, 0, 1, 2, 2]), [0, 3, 4, 1]),
    (None, [0, 1, 2, 3]),
])  # fmt: skip
def test_pictures_are_chosen_from_every_class_first(labels, chosen):
    images = tiles(6, SHAPE, 0)
    np.testing.assert_array_equal(figures.one_of_each(images, labels, 4), images[chosen])


def test_two_latents_are_drawn_as_they_are(tmp_path):
    model = model_of(tiny.new_run("ae", tmp_path, model__latent_dim=2))
    images = tiny.pictures(20)
    shown = figures.latent_space(model, images, None)
    np.testing.assert_array_equal(shown.points, model.embed(images))


def test_more_latents_are_drawn_in_the_plane_of_most_variance(tmp_path):
    model = model_of(tiny.new_run("ae", tmp_path, model__latent_dim=5))
    images = tiny.pictures(40)
    shown = figures.latent_space(model, images, None)
    eigenvalues = np.linalg.eigvalsh(np.cov(model.embed(images).T.astype(np.float64)))
    # float32 latents: 1e-4 relative is a thousand roundings.
    np.testing.assert_allclose(
        shown.points.astype(np.float64).var(axis=0, ddof=1), eigenvalues[:-3:-1], rtol=1e-4
    )
    assert "5 latents" in shown.title


def test_latents_are_decoded_where_they_are_drawn(tmp_path):
    model = model_of(tiny.new_run("vae", tmp_path, model__latent_dim=2))
    shown = figures.latent_space(model, tiny.pictures(8), None)
    np.testing.assert_array_equal(shown.decoded, model.decode(shown.prior))


def test_the_sibling_is_the_newest_finished_run_of_the_same_kind(tmp_path):
    run = finished("vae", tmp_path, "mine")
    assert figures.sibling(run, model_of(run)) is None
    finished("ae", tmp_path, "stopped", "2026-02-09", status="stopped")
    finished("ae", tmp_path, "more-latents", "2026-02-08", model__latent_dim=7)
    finished("ae", tmp_path, "other-data", "2026-02-07", data__source="embedded")
    assert figures.sibling(run, model_of(run)) is None
    old = finished("ae", tmp_path, "old", "2026-02-01")
    new = finished("ae", tmp_path, "new", "2026-02-02")
    images = tiny.pictures(6)
    found = figures.sibling(run, model_of(run))
    np.testing.assert_array_equal(found.embed(images), models.load(new).embed(images))
    # A damaged file is passed over, and the next newest taken.
    new.model_file.write_bytes(b"broken")
    found = figures.sibling(run, model_of(run))
    np.testing.assert_array_equal(found.embed(images), models.load(old).embed(images))


@pytest.fixture
def scripts(monkeypatch, pytestconfig):
    """Import the modules that draw the docs' figures."""
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "scripts"))
    return importlib.import_module


def test_densities_of_the_game_on_a_line_are_densities(scripts):
    game = scripts("one_dimensional_game")
    moments, values = game.play((0,))
    step = game.LINE[1] - game.LINE[0]
    # A sum over 401 points; the mixture has less than 1e-6 outside of the line.
    np.testing.assert_allclose(game.data_density(game.LINE).sum() * step, 1.0, atol=1e-5)
    np.testing.assert_allclose(moments[0].generated.sum() * step, 1.0, atol=1e-5)
    assert len(values) == 0


def test_the_game_on_a_line_goes_alike_on_every_backend(scripts):
    game = scripts("one_dimensional_game")
    (moment,), values = game.play((game.STEPS,))
    # Written on TensorFlow; JAX and PyTorch were within 1e-7, a float32 rounding.
    np.testing.assert_allclose(values, [-1.0327107], atol=1e-5)
    np.testing.assert_allclose(moment.d[200], 0.4535504, atol=1e-5)


def test_the_best_linear_vae_is_probabilistic_pca(scripts):
    theory = scripts("theory")
    golden = GOLDEN["vae"]
    covariance = np.array(golden["toy_covariance_6x6"])
    eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
    for latents in (1, 2, 3):
        expected = golden["toy"][f"q{latents}"]
        elbo, used, _ = theory.linear_vae(eigenvalues, expected["sigma2_ml"], latents)
        np.testing.assert_allclose(elbo, expected["loglik_nats_per_sample"], rtol=1e-10)
        assert used == latents
        # Without noise the decoded mean is PCA's reconstruction, up to c^2 / lambda.
        _, _, error = theory.linear_vae(eigenvalues, 1e-9, latents)
        key = "pca_recon_mse_per_pixel (posterior mean of plain PCA)"
        np.testing.assert_allclose(error / 6, expected[key], rtol=1e-10)
    for name, expected in golden["toy_fixed_variance_or_beta (3 latents)"].items():
        if name.startswith("s_eff="):
            c = float(name.removeprefix("s_eff="))
            assert theory.linear_vae(eigenvalues, c, 3)[1] == expected["n_active"]
