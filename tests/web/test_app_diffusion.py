"""Diffusion: noise becomes a picture that Python draws too, in sight, and stops when asked."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from kgen.noise import normal
from kgen_exports.runtime import load

pytestmark = pytest.mark.web

STAGE = ".stage canvas"


@pytest.fixture
def python(app_site):
    """Return a function to what Python draws, by the file that the app ships."""
    bundle = load(app_site / "models" / "ddpm")

    def generate(n: int = 1, seed: int = 7, **options) -> np.ndarray:
        return bundle.generate(n, seed=seed, precision="fp16", runtime="onnxruntime", **options)

    return generate


def finished(app, steps: int) -> None:
    app.page.get_by_text(f"after {steps} step", exact=False).first.wait_for()


def test_noise_becomes_the_picture_that_python_draws(opened, python):
    app = opened("#play?model=ddpm&seed=5")
    finished(app, 4)
    app.shows(STAGE, python(seed=5)[0])


def test_the_steps_can_be_gone_through_again_from_the_noise_on(opened, python):
    app = opened("#play?model=ddpm")
    finished(app, 4)
    steps = app.page.get_by_role("slider", name="Step", exact=True)
    assert steps.get_attribute("aria-valuetext") == "4 of 4"
    steps.fill("0")
    noise = np.clip(np.round((normal(7, (16, 16, 1)) + 1) * 127.5), 0, 255)
    app.shows(STAGE, noise)
    app.button("Play").click()
    app.shows(STAGE, python()[0])
    expect(app.button("Play")).to_be_visible()


def test_other_steps_and_eta_are_in_the_link_and_as_in_python(opened, python):
    app = opened("#play?model=ddpm")
    finished(app, 4)
    app.page.get_by_label("Steps", exact=True).select_option("10")
    finished(app, 10)
    app.shows(STAGE, python(num_steps=10)[0])
    eta = app.page.get_by_role("slider", name="Noise added on the way")
    eta.fill("0.5")
    app.shows(STAGE, python(num_steps=10, eta=0.5)[0])
    again = opened(app.page.url.removeprefix(app.base))
    finished(again, 10)
    again.shows(STAGE, python(num_steps=10, eta=0.5)[0])


def test_steps_of_a_link_that_the_model_does_not_have_are_the_exported_ones(opened, python):
    app = opened("#play?model=ddpm&steps=1000000&eta=7")
    finished(app, 4)
    app.shows(STAGE, python()[0])


def test_the_whole_sampler_in_one_file_draws_the_same(opened, python):
    app = opened("#play?model=ddpm&steps=10")
    finished(app, 10)
    app.page.get_by_label("All 4 steps in one file", exact=False).click()
    finished(app, 4)
    app.shows(STAGE, python()[0])
    expect(app.page.get_by_label("Steps", exact=True)).to_be_disabled()
    expect(app.page).to_have_url(re.compile("whole=1"))


def test_it_stops_when_asked_and_draws_again(opened):
    app = opened("#play?model=ddpm&steps=20")
    finished(app, 20)
    app.page.evaluate(
        """() => {
          const named = (name) => [...document.querySelectorAll('button')]
            .find((button) => button.textContent === name);
          named('Draw 8 more').click();
          setTimeout(() => named('Stop').click(), 20); // each picture takes longer
        }"""
    )
    app.page.get_by_text("Stopped.").wait_for()
    expect(app.button("Stop")).to_have_count(0)
    expect(app.button("Picture 9 of seed 7")).to_be_disabled()
    app.button("Draw again").click()
    finished(app, 20)


def test_more_pictures_of_a_seed_are_the_next_ones(opened, python):
    app = opened("#play?model=ddpm")
    finished(app, 4)
    app.button("Draw 8 more").click()
    app.page.get_by_text("8 more pictures of seed 7").wait_for()
    drawn = python(9)
    for i in (0, 7):
        app.shows(f".tile:nth-child({i + 1})", drawn[i + 1])
    app.button("Picture 9 of seed 7").click()
    expect(app.page.get_by_role("dialog", name="Picture 9 of seed 7")).to_be_visible()


def test_a_new_seed_ends_what_was_going_on(opened, python):
    app = opened("#play?model=ddpm&steps=20")
    seed = app.page.get_by_label("Seed", exact=True)
    seed.wait_for()
    for text in ("1", "2", "3"):
        seed.fill(text)
        seed.press("Enter")
    app.page.get_by_text("Seed 3 after 20 steps").wait_for()
    app.shows(STAGE, python(seed=3, num_steps=20)[0])
