"""The package's content at the origin of its WebView, in mobile Chromium: a WebView's own engine.

Each request is answered by what the app's classes answered on the Java virtual machine: status,
type and headers; the bytes are the package's.
"""

import base64
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.android.conftest import ORIGIN

pytestmark = pytest.mark.android

RUNTIMES = ("onnxruntime", "litert", "javascript")
# LiteRT.js asks for WebGPU first, and says that a machine without it has none.
HARMLESS = re.compile(r"No available adapters|WebGPU|Created TensorFlow Lite XNNPACK delegate")
SECONDS = 60
BRIDGE = """globalThis.KgenAndroid = {
  calls: [],
  save(...call) { this.calls.push(['save', ...call]); return `Pictures/kgen/${call[0]}`; },
  share(...call) { this.calls.push(['share', ...call]); },
};"""


@dataclass
class Phone:
    """A page as the app shows it, and what was noticed meanwhile."""

    page: object
    refused: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def open(self, place: str, runtime: str = "auto") -> None:
        """Open a place of the app, with a runtime chosen as in its settings."""
        kept = f'{{"runtime": "{runtime}", "precision": "auto", "threads": 1}}'
        self.page.goto(f"{ORIGIN}/LICENSES.txt")  # the same origin, where nothing runs
        self.page.evaluate("kept => localStorage.setItem('kgen:/index.html', kept)", kept)
        self.page.goto(f"{ORIGIN}/index.html{place}")

    def calls(self) -> list[list[str]]:
        """Return what the page asked of the bridge, as soon as there is something."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            # Playwright's own waiting evaluates text, which the page's policy forbids.
            if found := self.page.evaluate("KgenAndroid.calls"):
                return found
            self.page.wait_for_timeout(50)
        pytest.fail("The page asked nothing of the bridge.")

    def noticed(self) -> list[str]:
        """Return what a WebView would have refused or complained of."""
        return self.refused + [m for m in self.messages if not HARMLESS.search(m)]


@pytest.fixture
def phone(browser, built, told):
    """Return a page in a phone's window, answered by the app."""
    seen = Phone(page=None)
    context = browser.new_context(
        viewport={"width": 412, "height": 839}, device_scale_factor=2.625, is_mobile=True,
        has_touch=True, service_workers="block",
    )  # fmt: skip
    context.add_init_script(BRIDGE)

    def answer(route):
        address = route.request.url.partition("#")[0]
        said = told.get(f"asked {address}", "")
        if not said.startswith("200 OK, "):
            seen.refused.append(address)
            route.abort()
            return
        kind, _ = said.removeprefix("200 OK, ").rsplit(", ", 1)
        prefix = f"header {address} "
        headers = {k.removeprefix(prefix): v for k, v in told.items() if k.startswith(prefix)}
        path = urlsplit(address).path.removeprefix("/") or "index.html"
        body = (built.unpacked / "assets" / "www" / path).read_bytes()
        route.fulfill(status=200, headers={**headers, "Content-Type": kind}, body=body)

    context.route("**/*", answer)
    seen.page = context.new_page()
    seen.page.set_default_timeout(SECONDS * 1000)
    seen.page.on(
        "console",
        lambda m: seen.messages.append(m.text) if m.type in ("warning", "error") else None,
    )
    seen.page.on("pageerror", lambda error: seen.messages.append(f"script: {error}"))
    yield seen
    context.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_draws_there_what_keras_drew(phone, runtime):
    phone.open("#proof?model=gan", runtime)
    phone.page.get_by_role("button", name="Run the proof").click()
    verdict = phone.page.locator(".verdict.good, .verdict.bad")
    verdict.wait_for()
    assert "draws the same pictures here as where it was trained" in verdict.inner_text()
    assert "within the limits" in verdict.inner_text()
    assert phone.noticed() == []


@pytest.mark.parametrize("model", ["vae", "ddpm"])
def test_every_kind_of_model_passes_its_proof_there(phone, model):
    phone.open(f"#proof?model={model}")
    phone.page.get_by_role("button", name="Run the proof").click()
    verdict = phone.page.locator(".verdict.good, .verdict.bad")
    verdict.wait_for()
    assert "within the limits" in verdict.inner_text()
    assert phone.noticed() == []


def test_the_page_is_a_secure_context_and_isolated(phone):
    # Both are what crypto.subtle (the hashes) and threads ask for.
    phone.open("#settings")
    phone.page.get_by_role("heading", name="Settings").first.wait_for()
    assert phone.page.evaluate("[isSecureContext, crossOriginIsolated]") == [True, True]
    assert phone.noticed() == []


@pytest.mark.parametrize("call", ["Save", "Share"])
def test_a_picture_goes_to_the_bridge_as_a_png(phone, call):
    phone.open("#play?model=gan&seed=7")
    phone.page.locator("#view canvas, #view img").first.click()
    phone.page.get_by_role("button", name=call, exact=True).click()
    ((name, file, content),) = phone.calls()
    assert name == call.lower()
    # What Bridge makes a name of: nothing is lost but what no name of the app's has.
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.png", file)
    assert base64.b64decode(content, validate=True).startswith(b"\x89PNG\r\n\x1a\n")
    assert phone.noticed() == []
