"""Trouble: what is broken, missing or switched off is told in words, and the rest goes on."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.web

NO_WASM = ("--js-flags=--jitless",)
"""What browsers do in their locked-down modes: no compiler at run time, so no WebAssembly."""
FAILED_TO_LOAD = "Failed to load resource"


def forget(app, start: str) -> None:
    """Take a message of the browser's own, which there must be, out of the list."""
    found = [message for message in app.messages if start in message]
    assert found
    app.messages[:] = [message for message in app.messages if message not in found]


def answer(path: str, **how):
    """Return what makes the site answer one address in another way."""
    return lambda app: app.page.route(f"**/{path}", lambda route: route.fulfill(**how))


def other_models_work(app) -> None:
    app.page.get_by_label("Model").select_option("vae")
    expect(app.button("Save all as one")).to_be_enabled()
    expect(app.page.get_by_role("alert")).to_have_count(0)


def test_a_file_that_was_changed_is_refused_and_other_models_work(opened):
    app = opened("#play?model=gan", before=answer("generator.fp16.onnx", body=b"changed"))
    alert = app.page.get_by_role("alert")
    expect(alert).to_contain_text("generator.fp16.onnx")
    expect(app.page.locator("canvas")).to_have_count(0)
    other_models_work(app)


def test_a_file_that_is_missing_is_drawn_by_another_runtime_which_is_said(opened):
    app = opened("#play?model=gan", before=answer("generator.fp16.onnx", status=404))
    app.page.get_by_text("drawn by LiteRT, fp16").wait_for()
    app.page.get_by_text("LiteRT draws it instead").wait_for()
    expect(app.button("Save all as one")).to_be_enabled()


def test_a_manifest_of_a_newer_kgen_is_refused_and_other_models_work(opened):
    newer = answer("models/gan/kgen.json", json={"schema": "kgen-bundle-9"})
    app = opened("#play?model=gan", before=newer)
    expect(app.page.get_by_role("alert")).to_contain_text("kgen-bundle-9")
    app.page.unroute("**/models/gan/kgen.json")
    app.button("Try again").click()
    expect(app.button("Save all as one")).to_be_enabled()
    other_models_work(app)


def test_without_webassembly_javascript_draws_and_says_so(opened):
    app = opened("#play?model=gan&count=4", flags=NO_WASM)
    expect(app.button("Save all as one")).to_be_enabled()
    app.page.get_by_text("This browser has no WebAssembly").wait_for()
    app.page.get_by_text("drawn by plain JavaScript, fp16").wait_for()
    app.page.get_by_label("Model").select_option("ddpm")
    expect(app.page.get_by_role("alert")).to_contain_text("“DDPM” needs WebAssembly")
    assert app.violations() == []
    app.page.get_by_label("Model").select_option("gan")
    expect(app.button("Save all as one")).to_be_enabled()
    app.page.get_by_role("link", name="Settings").click()
    expect(app.page.get_by_role("radio", name="LiteRT")).to_be_disabled()
    expect(app.page.get_by_role("radio", name="Plain JavaScript", exact=True)).to_be_enabled()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"status": 404}, "app.json is missing from this app"),
        ({"body": "{"}, "app.json is not JSON"),
        ({"json": {"schema": "kgen-app-2"}}, "files of two versions are mixed"),
    ],
    ids=["missing", "damaged", "newer"],
)
def test_an_app_that_cannot_start_says_why(how, words, opened):
    app = opened("", before=answer("app.json", **how))
    expect(app.page.get_by_role("heading", name="This app cannot start")).to_be_visible()
    expect(app.page.get_by_role("alert")).to_contain_text(words)
    assert app.violations() == []
    if how.get("status") == 404:
        forget(app, FAILED_TO_LOAD)


def test_a_service_worker_that_fails_is_a_calm_note(opened):
    refusing = "navigator.serviceWorker.register = () => Promise.reject(new Error('no room'));"
    app = opened("#settings?model=gan", script=refusing)
    app.page.get_by_text("Works while there is a connection, but not offline.").wait_for()
    app.page.get_by_text("no room").wait_for()
    expect(app.page.get_by_role("alert")).to_have_count(0)


def test_a_browser_without_service_workers_says_what_is_not_there(opened):
    app = opened(
        "#settings?model=gan",
        script="Object.defineProperty(navigator, 'serviceWorker', { value: undefined });",
    )
    app.page.get_by_text("This browser keeps no pages for offline use").wait_for()


def test_what_computes_is_loaded_by_the_worker_and_never_by_the_page(opened):
    app = opened("#play?model=vae&count=4")
    expect(app.button("Save all as one")).to_be_enabled()
    loaded = app.page.evaluate("performance.getEntriesByType('resource').map((e) => e.name)")
    loaded = {name.removeprefix(app.base) for name in loaded}
    assert "engine/client.js" in loaded
    computing = ("vendor/", "models/", "engine/model.js", "engine/network.js", "engine/plain.js")
    assert [name for name in loaded if name.startswith(computing)] == []
    assert len(app.page.workers) == 1


def test_going_back_and_forth_in_a_hurry_ends_at_the_last_place(opened):
    app = opened("#play?model=vae")
    app.page.evaluate(
        """() => { for (const place of ['#play?model=ddpm', '#proof?model=gan',
            '#play/map?model=vae', '#speed', '#play/sliders?model=gan', '#settings',
            '#play?model=gan&count=4']) location.hash = place; }"""
    )
    expect(app.button("Save all as one")).to_be_enabled()
    assert app.page.locator(".tile").count() == 4
    expect(app.page.get_by_role("heading", level=1)).to_have_text("GAN 1")
    assert app.page.locator(".view").count() == 1
    expect(app.page.get_by_role("alert")).to_have_count(0)
