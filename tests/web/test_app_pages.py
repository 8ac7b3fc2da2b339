"""Every section of the app on phones and desks, light and dark, by eye, by ear and by keyboard."""

import re

import pytest
from playwright.sync_api import expect

from tests.web.conftest import SCREENSHOTS

pytestmark = pytest.mark.web

WIDTHS = {320: 640, 390: 844, 1280: 900}
"""Windows by width: the narrowest phone there is, a usual one, a desk."""
PLACES = {
    "pictures": "#play?model=gan",
    "sliders": "#play/sliders?model=vae",
    "between": "#play/between?model=vae",
    "map": "#play/map?model=vae",
    "redraw": "#play/redraw?model=vae",
    "diffusion": "#play?model=ddpm",
    "class": "#play?model=classes&count=4",
    "proof": "#proof?model=vae",
    "speed": "#speed?model=gan",
    "settings": "#settings?model=gan",
}


def filled(app, name: str) -> None:
    """Wait until a section shows all it has."""
    page = app.page
    if name in ("pictures", "class"):
        expect(app.button("Save all as one")).to_be_enabled()
    elif name == "sliders":
        page.get_by_role("slider", name="Latent").nth(7).wait_for()
    elif name == "between":
        expect(app.button("100 % from seed", exact=False)).to_be_enabled()
    elif name == "map":
        expect(app.button("Save or share")).to_be_enabled()
    elif name == "redraw":
        app.button("Use an example").click()
        expect(app.button("Variation 8")).to_be_enabled()
    elif name == "diffusion":
        page.get_by_text("after 4 steps, in").wait_for()
    elif name == "proof":
        app.button("Run the proof").click()
        page.get_by_text("draws the same pictures here").wait_for()
    elif name == "speed":
        app.button("Measure this model").click()
        page.get_by_text("Measured.").wait_for()
    else:
        page.get_by_text("is drawn by ONNX Runtime in fp16").wait_for()


@pytest.fixture(scope="module")
def tour(app_address, browser):
    """Open the app once for all who only look at it."""
    from tests.web.app_page import AppPage

    context = browser.new_context()
    page = AppPage(context.new_page(), app_address)
    page.go("")
    yield page
    context.close()


@pytest.mark.parametrize("name", PLACES)
def test_a_section_is_good_at_every_width_in_light_and_dark(name, tour):
    tour.page.set_viewport_size({"width": 1280, "height": 900})
    tour.page.evaluate("hash => { location.hash = hash; }", PLACES[name])
    filled(tour, name)
    tour.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    for width, height in WIDTHS.items():
        tour.page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            tour.page.emulate_media(color_scheme=scheme)
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            tour.page.screenshot(path=SCREENSHOTS / f"app-{name}-{width}-{scheme}.png")
            if width != 390:
                assert tour.violations() == []
        assert tour.overflow() == 0
        assert tour.small_targets() == []
    tour.finish()


@pytest.mark.parametrize("device", ["pixel", "iphone"])
def test_a_phone_draws_and_enlarges_at_a_touch(device, opened):
    app = opened("#play?model=gan", device=device)
    app.button("Picture 2 of seed 7").tap()
    expect(app.page.get_by_role("dialog", name="Picture 2 of seed 7")).to_be_visible()
    app.button("The next picture").tap()
    expect(app.page.get_by_role("dialog", name="Picture 3 of seed 7")).to_be_visible()
    app.page.screenshot(path=SCREENSHOTS / f"app-viewer-{device}.png")
    app.button("Close").tap()
    navigation = app.page.get_by_role("navigation", name="Sections")
    box, height = navigation.bounding_box(), app.page.viewport_size["height"]
    assert box["y"] + box["height"] == pytest.approx(height, abs=1)  # in reach of the thumb
    navigation.get_by_role("link", name="Settings").tap()
    expect(app.page.get_by_role("heading", name="Settings")).to_be_visible()
    assert app.overflow() == 0


def test_the_window_over_the_page_has_no_violations(opened):
    app = opened("#play?model=gan")
    app.button("Picture 1 of seed 7").click()
    assert app.violations() == []
    app.page.screenshot(path=SCREENSHOTS / "app-viewer-1280.png")


def test_the_whole_app_goes_by_keyboard(opened):
    app = opened("#play?model=vae")
    page = app.page
    expect(app.button("Save all as one")).to_be_enabled()

    def reach(name: str, role: str = "") -> None:
        """Press Tab until the focus, which must be visible, is on something of that name."""
        for _ in range(60):
            page.keyboard.press("Tab")
            found = page.evaluate(
                """() => { const e = document.activeElement, s = getComputedStyle(e);
                  const label = e.labels?.[0]?.textContent ?? '';
                  return [e.getAttribute('aria-label') || label || e.textContent, e.type ?? '',
                    s.outlineStyle, e.type === 'file']; }"""
            )
            if found[0].strip().startswith(name) and role in found[1]:
                assert found[2] != "none" or found[3]
                return
        raise AssertionError(f"Tab does not reach {name!r}.")

    reach("Another")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("seed="))
    seed = page.get_by_label("Seed", exact=True).input_value()
    reach(f"Picture 1 of seed {seed}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name=f"Picture 2 of seed {seed}")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "Picture 1 of seed" in page.evaluate("document.activeElement.ariaLabel")

    page.evaluate("document.activeElement.blur()")
    reach("Sliders")
    page.keyboard.press("Enter")
    page.get_by_role("slider", name="Latent").nth(7).wait_for()
    reach("Latent")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("latents="))

    reach("Map")
    page.keyboard.press("Enter")
    expect(app.button("Save or share")).to_be_enabled()
    reach("Map of latent")
    for _ in range(10):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("ArrowDown")
    expect(page).to_have_url(re.compile("x=2.5&y=2.4"))  # at the edge, and a step back

    reach("Redraw")
    page.keyboard.press("Enter")
    reach("Use an example")
    page.keyboard.press("Enter")
    expect(app.button("Variation 8")).to_be_enabled()

    reach("Proof")
    page.keyboard.press("Enter")
    expect(app.button("Run the proof")).to_be_enabled()
    reach("Run the proof")
    page.keyboard.press("Enter")
    page.get_by_text("draws the same pictures here").wait_for()

    reach("Settings")
    page.keyboard.press("Enter")
    page.get_by_text("is drawn by ONNX Runtime in fp16").wait_for()
    reach("Automatic", "radio")
    page.keyboard.press("ArrowUp")  # round to the last one, as radio buttons go
    page.get_by_text("is drawn by plain JavaScript").wait_for()


def test_the_title_and_the_current_link_say_where_one_is(opened):
    app = opened("#proof?model=vae")
    expect(app.page).to_have_title("Proof · VAE · kgen: GAN 1, VAE, DDPM, GAN 2")
    links = app.page.locator("a[aria-current=page]")
    assert links.all_text_contents() == ["Proof"]
    app.page.get_by_role("link", name="Play").click()
    expect(links).to_have_text(["Play", "Pictures"])
    app.page.go_back()
    expect(app.page.get_by_role("heading", name="Proof")).to_be_visible()


def test_another_model_is_another_view_and_the_seed_stays(opened):
    app = opened("#play/sliders?model=vae&seed=11&latents=1:2")
    app.page.get_by_role("slider", name="Latent").first.wait_for()
    app.page.get_by_label("Model").select_option("gan")
    expect(app.page.get_by_role("heading", name="GAN 1")).to_be_visible()
    assert app.page.url.endswith("#play?seed=11&model=gan")
    expect(app.page.get_by_role("link", name="Redraw")).to_have_count(0)
    app.page.go_back()
    expect(app.page.get_by_label("Model")).to_have_value("vae")
