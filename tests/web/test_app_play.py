"""Play with a GAN and a VAE: what is shown is what Python draws, and links draw it again."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from kgen.noise import normal
from kgen_exports.runtime import load
from tests.exports import tiny_bundle
from tests.web import labelled_bundle

pytestmark = pytest.mark.web

STAGE = ".stage canvas"
SHARING = """
  window.shared = [];
  navigator.canShare = ({ files }) => files[0].type === 'image/png';
  navigator.share = async ({ files }) => { window.shared.push([files[0].name, files[0].size]); };
"""
ANDROID = """
  window.kept = [];
  window.KgenAndroid = {
    save: (...what) => { window.kept.push(['save', ...what]); return 'Pictures/' + what[0]; },
    share: (...what) => window.kept.push(['share', ...what]),
  };
"""


@pytest.fixture
def python(app_site):
    """Return a function to what Python draws of latents, by the file that the app ships."""

    def decode(name: str, z: np.ndarray) -> np.ndarray:
        bundle = load(app_site / "models" / name)
        return bundle.decode(z, precision="fp16", runtime="onnxruntime")

    return decode


def of(seed: int, pick: int = 0, dim: int = 8) -> np.ndarray:
    """Return z of a picture of a seed."""
    return normal(seed, (1, dim), start=pick * dim)


# Pictures.


def test_the_grid_is_what_python_draws_of_the_seed(opened, python):
    app = opened("#play?model=gan&seed=9&count=4")
    expect(app.button("Save all as one")).to_be_enabled()
    drawn = python("gan", normal(9, (4, 8)))
    for i in range(4):
        app.shows(f".tile:nth-child({i + 1})", drawn[i])
    assert app.page.locator(".tile").count() == 4


def test_another_seed_is_in_the_link_which_draws_it_again(opened):
    app = opened("#play?model=gan&count=4")
    app.button("Another").click()
    expect(app.page).to_have_url(re.compile(r"seed=\d+"))
    seed = app.page.get_by_label("Seed", exact=True).input_value()
    expect(app.button(f"Picture 4 of seed {seed}")).to_be_enabled()
    shown = app.pixels(".tile")
    app.page.reload()
    expect(app.button(f"Picture 4 of seed {seed}")).to_be_enabled()
    np.testing.assert_array_equal(app.pixels(".tile"), shown)


def test_what_is_no_seed_is_said_beside_the_field(opened):
    app = opened("#play?model=gan&count=1")
    field, problem = app.page.get_by_label("Seed", exact=True), app.page.get_by_role("alert")
    expect(app.button("Picture 1 of seed 7")).to_be_enabled()
    for text in ("", "abc", "-1", "1.5", "1e3", "9007199254740993", "\u0667"):
        field.fill(text)
        field.press("Enter")
        expect(problem).to_contain_text("A seed is a whole number from 0 to 9007199254740991")
        expect(problem).to_contain_text(f"Received: {text or 'nothing'}.")
        expect(app.button("Picture 1 of seed 7")).to_be_enabled()
    field.fill(" 12 ")
    field.press("Enter")
    expect(app.button("Picture 1 of seed 12")).to_be_enabled()
    expect(problem).to_have_count(0)


def test_a_link_without_a_usable_seed_or_number_is_mended_in_words(opened):
    app = opened("#play?model=gan&seed=-4&count=9999&pick=-3&label=x")
    expect(app.button("Picture 16 of seed 7")).to_be_enabled()
    expect(app.page.get_by_text("This link has no usable seed")).to_be_visible()
    assert "seed=7" in app.page.url


def test_another_seed_in_the_address_is_drawn(opened):
    app = opened("#play?model=gan&count=1")
    expect(app.button("Picture 1 of seed 7")).to_be_enabled()
    app.page.evaluate("location.hash = '#play?model=gan&count=4&seed=13'")
    expect(app.button("Picture 4 of seed 13")).to_be_enabled()
    app.page.go_back()
    expect(app.button("Picture 1 of seed 7")).to_be_enabled()


def test_a_link_to_nowhere_shows_what_there_is(opened):
    app = opened("#nowhere/at/all?model=none&seed=7")
    expect(app.page.get_by_role("heading", name="GAN 1")).to_be_visible()


def test_a_picture_is_saved_with_square_pixels(opened):
    app = opened("#play?model=gan&count=4")
    app.button("Picture 2 of seed 7").click()
    dialog = app.page.get_by_role("dialog")
    sizes = dialog.get_by_label("Size to save").locator("option").all_text_contents()
    assert [size.split()[0] for size in sizes] == ["16", "256", "512", "1024"]
    dialog.get_by_label("Size to save").select_option("16")
    with app.page.expect_download() as download:
        dialog.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "gan-seed7-2.png"
    saved = np.asarray(Image.open(io.BytesIO(download.value.path().read_bytes())).convert("RGBA"))
    small = app.pixels("dialog canvas")
    np.testing.assert_array_equal(saved, small.repeat(16, axis=0).repeat(16, axis=1))
    expect(dialog.get_by_text("Saved gan-seed7-2.png")).to_be_visible()


def test_all_pictures_are_saved_as_one_sheet(opened):
    app = opened("#play?model=gan&count=4")
    app.button("Save all as one").click()
    dialog = app.page.get_by_role("dialog", name="4 pictures of seed 7")
    dialog.get_by_label("Size to save").select_option("1")
    with app.page.expect_download() as download:
        dialog.get_by_role("button", name="Save").click()
    sheet = np.asarray(Image.open(io.BytesIO(download.value.path().read_bytes())).convert("RGBA"))
    tiles = [app.pixels(f".tile:nth-child({i + 1})") for i in range(4)]
    rows = [np.concatenate(tiles[i : i + 2], axis=1) for i in (0, 2)]
    np.testing.assert_array_equal(sheet, np.concatenate(rows))


def test_a_picture_is_shared_where_the_device_can(opened):
    app = opened("#play?model=gan&count=1", script=SHARING)
    app.button("Picture 1 of seed 7").click()
    app.button("Share").click()
    app.until("window.shared.length === 1")
    name, size = app.page.evaluate("window.shared[0]")
    assert name == "gan-seed7-1.png"
    assert size > 100


def test_there_is_no_button_to_share_where_the_device_cannot(opened):
    app = opened("#play?model=gan&count=1", script="navigator.canShare = undefined;")
    app.button("Picture 1 of seed 7").click()
    expect(app.button("Save")).to_be_visible()
    expect(app.button("Share")).to_have_count(0)


def test_the_android_package_saves_and_shares_by_its_own_ways(opened):
    app = opened(
        "#play?model=gan&count=1", script=ANDROID,
        before=lambda page: page.change_app(delivery="package"),
    )  # fmt: skip
    app.button("Picture 1 of seed 7").click()
    app.button("Save").click()
    expect(app.page.get_by_text("Saved as Pictures/gan-seed7-1.png.")).to_be_visible()
    app.button("Share").click()
    app.until("window.kept.length === 2")
    kept = app.page.evaluate("window.kept")
    assert [row[:2] for row in kept] == [
        ["save", "gan-seed7-1.png"], ["share", "gan-seed7-1.png"],
    ]  # fmt: skip
    assert kept[0][2] == kept[1][2]
    assert app.page.evaluate("atob(window.kept[0][2]).slice(1, 4)") == "PNG"
    expect(app.button("Copy link")).to_have_count(0)
    app.page.evaluate("window.KgenAndroid.save = () => { throw new Error('Java') }; undefined")
    app.button("Save").click()
    expect(app.page.get_by_text("Android could not save gan-seed7-1.png.")).to_be_visible()


def test_a_class_is_chosen_from_its_names(opened):
    app = opened("#play?model=classes&count=1")
    logits = normal(7, (1, tiny_bundle.LATENT)) @ (normal(0, (16, 256)).astype(np.float16) * 0.3)
    for i, name in enumerate(labelled_bundle.LABELS):
        app.page.get_by_label("Class").select_option(name)
        image = np.tanh(logits + labelled_bundle.table()[i]).reshape(16, 16, 1)
        app.shows(".tile", np.round((image + 1) * 127.5))
    assert "label=2" in app.page.url
    app.page.reload()
    expect(app.page.get_by_label("Class")).to_have_value("2")


# Sliders.


def test_sliders_start_at_the_chosen_picture_and_move_it(opened, python):
    app = opened("#play?model=vae")
    app.button("Picture 3 of seed 7").click()
    app.button("Change it with sliders").click()
    sliders = app.page.get_by_role("slider", name="Latent")
    sliders.nth(7).wait_for()
    z = of(7, pick=2)
    app.shows(STAGE, python("vae", z)[0])
    label = sliders.first.evaluate("e => e.labels[0].textContent")
    sliders.first.fill("1.5")
    z[0, int(label.split()[1]) - 1] = 1.5
    app.shows(STAGE, python("vae", z)[0])
    link = app.page.url
    app.button("Reset").click()
    app.shows(STAGE, python("vae", of(7, pick=2))[0])
    expect(app.button("Reset")).to_be_disabled()
    again = opened(link.partition("/")[2].partition("/")[2].partition("/")[2])
    again.shows(STAGE, python("vae", z)[0])


def test_the_latents_that_move_the_picture_most_come_first(opened, app_site):
    app = opened("#play/sliders?model=vae")
    app.page.get_by_role("slider", name="Latent").nth(7).wait_for()
    labels = app.page.locator(".sliders label").all_text_contents()
    bundle = load(app_site / "models" / "vae")
    session = bundle.session(bundle.entry("decoder", "fp16", "onnxruntime"))
    eye = np.eye(8, dtype=np.float32)
    up, down = (session.run({"z": sign * eye})["image"] for sign in (1, -1))
    moved = np.sqrt(((up - down) ** 2).mean(axis=(1, 2, 3)))
    assert labels == [f"Latent {i + 1}" for i in np.argsort(-moved)]


def test_all_latents_come_on_request(opened):
    app = opened("#play/sliders?model=classes")
    sliders = app.page.get_by_role("slider", name="Latent")
    sliders.nth(7).wait_for()
    assert sliders.count() == 8
    app.button("Show all 16").click()
    assert sliders.count() == 16
    expect(sliders.nth(8)).to_be_focused()


def test_a_hundred_moves_of_a_slider_end_at_the_last_one(opened, python):
    app = opened("#play/sliders?model=vae")
    slider = app.page.get_by_role("slider", name="Latent").first
    slider.wait_for()
    index = int(slider.evaluate("e => e.labels[0].textContent").split()[1]) - 1
    slider.evaluate(
        """e => { for (let i = 0; i <= 100; i += 1) {
          e.value = -3 + 0.05 * i; e.dispatchEvent(new Event('input')); } }"""
    )
    z = of(7)
    z[0, index] = 2
    app.shows(STAGE, python("vae", z)[0])


# Between.


def arc(t: float) -> np.ndarray:
    """Return the point on the arc between the first pictures of seeds 7 and 8, in float64."""
    a, b = (of(seed).astype(np.float64) for seed in (7, 8))
    angle = np.arccos((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))
    z = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return z.astype(np.float32)


def test_the_way_between_two_seeds_is_an_arc(opened, python):
    app = opened("#play/between?model=vae")
    app.shows(STAGE, python("vae", arc(0.5))[0])
    for share in (0.0, 0.25, 1.0):
        app.page.get_by_role("slider", name="Where between").fill(str(share))
        app.shows(STAGE, python("vae", arc(share))[0])
    for i in (0, 3, 8):
        app.shows(f".tile:nth-child({i + 1})", python("vae", arc(i / 8))[0])
    app.button("38 % from seed 7 to seed 8").click()
    app.shows(STAGE, python("vae", arc(3 / 8))[0])


def test_an_arc_between_parallel_and_opposite_points_is_finite(opened):
    app = opened("#play?model=gan&count=1")
    found = app.page.evaluate(
        """async () => {
          const { spherical } = await import('./view/between.js');
          const a = Float32Array.of(1, 2), zero = Float32Array.of(0, 0);
          return [[a, a], [a, a.map((v) => -v)], [a, zero], [zero, zero]]
            .map(([p, q]) => [...spherical(p, q, 0.5)]);
        }"""
    )
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], [1, 2], rtol=1e-6)  # float32


def test_play_goes_on_until_pause(opened):
    app = opened("#play/between?model=vae&t=0")
    expect(app.button("100 % from seed", exact=False)).to_be_enabled()
    app.button("Play").click()
    app.until("Number(new URLSearchParams(location.hash).get('t')) > 0.2")
    app.button("Pause").click()
    app.page.wait_for_timeout(100)
    where = app.page.url
    app.page.wait_for_timeout(300)
    assert app.page.url == where


def test_play_takes_steps_where_less_movement_is_asked_for(opened):
    app = opened("#play/between?model=vae&t=0", reduced_motion="reduce")
    expect(app.button("100 % from seed", exact=False)).to_be_enabled()
    app.button("Play").click()
    app.until("new URLSearchParams(location.hash).get('t') === '0.125'")
    app.until("new URLSearchParams(location.hash).get('t') === '0.25'")


# Map.


def test_the_map_is_dragged_over_and_shows_what_is_there(opened, python):
    app = opened("#play/map?model=vae&seed=9")
    box = app.page.get_by_role("application").bounding_box()
    labels = app.page.locator(".slider label").all_text_contents()
    axes = [int(re.search(r"\d+", label).group()) - 1 for label in labels]
    app.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    app.page.mouse.down()
    app.page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.2, steps=5)
    app.page.mouse.up()
    z = of(9)
    z[0, axes] = [float(v) for v in app.page.locator(".slider output").all_text_contents()]
    np.testing.assert_allclose(z[0, axes], [1, 1.5], atol=0.03)  # two pixels of the map
    app.shows(STAGE, python("vae", z)[0])
    again = opened(app.page.url.removeprefix(app.base))
    again.shows(STAGE, python("vae", z)[0])


def test_the_ground_of_the_map_is_a_grid_of_what_is_there(opened, python):
    app = opened("#play/map?model=vae")
    app.until("document.querySelector('.map canvas')?.width === 9 * 16")
    labels = app.page.locator(".slider label").all_text_contents()
    axes = [int(re.search(r"\d+", label).group()) - 1 for label in labels]
    ground = app.pixels(".map")
    z = of(7)
    z[0, axes] = [8 / 9 * 2.5, 8 / 9 * 2.5]  # the middle of the cell at the top right
    corner = python("vae", z)[0]
    assert np.abs(ground[:16, -16:, :1].astype(int) - corner).max() <= 1
