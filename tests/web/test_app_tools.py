"""Proof, speed and settings: what they measure, what they keep, what can be copied."""

import json
import re

import pytest
from playwright.sync_api import expect

from kgen_exports.app import server
from tests.web.app_page import manifest

pytestmark = pytest.mark.web

CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}
REFUSES_STORAGE = """
  Object.defineProperty(window, 'localStorage', {
    get() { throw new DOMException('no storage for you', 'SecurityError'); } });
"""
FULL_STORAGE = """
  Storage.prototype.setItem = () => {
    throw new DOMException('it is full', 'QuotaExceededError'); };
"""
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
DRAWN_BY = "is drawn by {} in fp16"


def copied(app) -> dict:
    app.button("Copy as JSON").click()
    expect(app.button("Copied")).to_be_visible()
    return json.loads(app.page.evaluate("navigator.clipboard.readText()"))


def proved(app, words: str = "draws the same pictures here") -> None:
    expect(app.button("Run the proof")).to_be_enabled()
    app.button("Run the proof").click()
    app.page.get_by_text(words).wait_for()


# Proof.


# A VAE's picture, mean and logvar are judged; of a DDPM the picture of the loop and of the sampler.
@pytest.mark.parametrize(("name", "judged"), [("vae", 3), ("ddpm", 2)])
def test_the_proof_tells_of_every_part_and_is_copied(name, judged, opened):
    app = opened(f"#proof?model={name}", **CLIPBOARD)
    proved(app)
    cards = app.page.locator(".card")
    assert len({card.locator("h2").text_content() for card in cards.all()}) == 2
    for card in cards.all():
        expect(card).to_contain_text("✓ Passed")
    expect(cards.filter(has_text="at least 50 dB")).to_have_count(judged)
    result = copied(app)
    assert (result["schema"], result["model"], result["passed"]) == ("kgen-proof-1", name, True)
    assert {check["file"] for check in result["checks"]} == set(
        cards.locator("h2").all_text_contents()
    )
    assert all(check["psnr"] > 50 for check in result["checks"])


def test_a_file_beyond_the_limit_fails_in_words(opened):
    gates = {"fp32_share": 0, "least_db": {"fp16": 199, "int8": 199, "int8-static": 199}}
    app = opened("#proof?model=gan", before=lambda page: page.change_app(gates=gates))
    proved(app, "fails on this device in ONNX Runtime, fp16: 1 result of 1 beyond the limit")
    card = app.page.locator(".card")
    expect(card).to_contain_text("✗ Failed")
    expect(card).to_contain_text("at least 199 dB")
    assert app.violations() == []


def test_the_proof_can_be_stopped_and_then_proves_nothing(opened):
    app = opened("#proof?model=ddpm")
    expect(app.button("Run the proof")).to_be_enabled()
    app.page.evaluate(
        """() => {
          const named = (name) => [...document.querySelectorAll('button')]
            .find((button) => button.textContent === name);
          named('Run the proof').click();
          setTimeout(() => named('Stop').click(), 0);
        }"""
    )
    app.page.get_by_text("Stopped before the end: it proves nothing.").wait_for()
    expect(app.button("Copy as JSON")).to_have_count(0)
    proved(app)


# Speed.


def test_the_speed_of_everything_is_a_table_and_is_copied(opened, app_site):
    app = opened("#speed", **CLIPBOARD)
    app.button("Measure everything").click()
    app.page.get_by_text("Measured.").wait_for(timeout=90_000)
    rows = app.page.locator("tbody tr")
    known = json.loads((app_site / "app.json").read_text(encoding="utf-8"))
    expected = []
    for entry in known["models"]:
        formats = {file.rpartition(".")[2] for file in entry["files"]}
        expected += [entry["name"]] * (len(formats) + bool(entry["plain"]))
    results = copied(app)
    assert [result["model"] for result in results] == expected
    assert rows.count() == len(expected)
    assert all(re.search(r"\d m?s", text) for text in rows.all_text_contents())
    for result in results:
        assert result["medianMs"] > 0
        assert result["loadMs"] > 0
        assert result["firstMs"] > 0
        assert result["kgen"] == known["kgen"]
        assert result["userAgent"]
        assert result["bytes"] > 0
    assert {result["threads"] for result in results} == {1}


def test_copying_works_without_the_clipboard_of_secure_pages(opened):
    app = opened("#speed?model=gan", script=NO_CLIPBOARD, **CLIPBOARD)
    app.button("Measure this model").click()
    app.page.get_by_text("Measured.").wait_for()
    assert app.page.locator("tbody tr").count() == 1
    app.button("Copy as JSON").click()
    expect(app.button("Copied")).to_be_visible()
    expect(app.button("Copied")).to_be_focused()


# Settings.


def test_a_runtime_is_chosen_and_remembered(opened):
    app = opened("#settings?model=vae")
    page = app.page
    page.get_by_text(DRAWN_BY.format("ONNX Runtime")).wait_for()
    page.get_by_label("LiteRT").check()
    page.get_by_text(DRAWN_BY.format("LiteRT")).wait_for()
    page.get_by_label("Plain JavaScript").check()
    page.get_by_text(DRAWN_BY.format("plain JavaScript")).wait_for()
    page.get_by_role("link", name="Play").click()
    page.get_by_text("drawn by plain JavaScript, fp16").wait_for()
    expect(app.button("Save all as one")).to_be_enabled()
    page.reload()
    page.get_by_text("drawn by plain JavaScript, fp16").wait_for()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_label("Plain JavaScript")).to_be_checked()


def test_a_runtime_that_a_model_has_no_file_for_is_said(opened):
    script = 'localStorage.setItem(`kgen:${location.pathname}`, \'{"runtime": "litert"}\');'
    app = opened("#play?model=classes&count=1", script=script)
    expect(app.button("Picture 1 of seed 7")).to_be_enabled()
    app.page.get_by_text("LiteRT, chosen in Settings, has no file of this model").wait_for()
    app.page.get_by_role("link", name="Settings").click()
    expect(app.page.get_by_role("radio", name="LiteRT")).to_be_disabled()
    expect(app.page.get_by_role("radio", name="Plain JavaScript")).to_be_disabled()


@pytest.mark.parametrize("script", [REFUSES_STORAGE, FULL_STORAGE], ids=["refused", "full"])
def test_settings_hold_until_the_page_closes_where_nothing_is_kept(script, opened):
    app = opened("#settings?model=vae", script=script)
    app.page.get_by_text(DRAWN_BY.format("ONNX Runtime")).wait_for()
    app.page.get_by_label("LiteRT").check()
    app.page.get_by_text("This browser keeps nothing for this page").wait_for()
    app.page.get_by_text(DRAWN_BY.format("LiteRT")).wait_for()


def test_settings_that_make_no_sense_are_the_defaults(opened):
    app = opened("#settings?model=gan")
    kept = ["{}", "[]", "null", "{", '"x"', '{"runtime": 3, "precision": [], "threads": -1}']
    found = app.page.evaluate(
        """async (kept) => {
          const { keptSettings } = await import('./view/store.js');
          return kept.map((text) => {
            localStorage.setItem(`kgen:${location.pathname}`, text);
            return keptSettings();
          });
        }""",
        kept,
    )
    assert found == [{"runtime": "auto", "precision": "auto", "threads": 1}] * len(kept)


def test_threads_are_chosen_where_the_page_is_isolated(opened):
    app = opened("#settings?model=gan", script="")
    threads = app.page.get_by_label("Threads of ONNX Runtime")
    app.page.get_by_text(DRAWN_BY.format("ONNX Runtime")).wait_for()
    cores = app.page.evaluate("navigator.hardwareConcurrency")
    assert app.page.evaluate("crossOriginIsolated")  # kgen's own server sends the headers
    if cores > 1:
        threads.select_option("2")
        app.page.get_by_text(DRAWN_BY.format("ONNX Runtime")).wait_for()
        app.page.get_by_role("link", name="Speed").click()
        app.button("Measure this model").click()
        app.page.get_by_text("ONNX Runtime, fp16, 2 threads").wait_for()
    else:
        expect(threads).to_be_disabled()


def test_a_page_that_is_not_isolated_says_why_there_is_one_thread(opened, monkeypatch):
    for name in ("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"):
        monkeypatch.delitem(server.HEADERS, name)
    app = opened("#settings?model=gan")
    app.page.get_by_text("One only: a browser shares memory").wait_for()
    expect(app.page.get_by_label("Threads of ONNX Runtime")).to_be_disabled()


def test_settings_tell_what_the_model_is_and_whose(opened, app_site):
    app = opened("#settings?model=vae")
    app.page.get_by_text(DRAWN_BY.format("ONNX Runtime")).wait_for()
    known = manifest(app_site, "vae")
    told = app.page.locator("dl").first.text_content()
    for text in (known["data"]["licence"], known["data"]["note"], known["training"]["run"]):
        assert text in told
    link = app.page.get_by_role("link", name="Licences of everything")
    answer = app.page.request.get(link.evaluate("e => e.href"))
    assert "Apache License" in answer.text()


def test_the_state_of_offline_use_is_told(opened):
    app = opened("#settings?model=gan")
    app.page.get_by_text("Ready for offline use").wait_for()
    section = app.page.locator("section", has_text="On this device")
    assert re.search(r"\d+(\.\d)? (kB|MB|GB)", section.text_content())


@pytest.mark.parametrize("delivery", ["package", "single"])
def test_what_needs_no_server_has_no_worker_for_offline_use(delivery, opened):
    app = opened("#settings?model=gan", before=lambda page: page.change_app(delivery=delivery))
    app.page.get_by_text("Everything is in").wait_for()
    assert app.page.evaluate("navigator.serviceWorker.getRegistrations()") == []
