"""The app in a browser: a site of real tiny exports, and what a page of it shows and says."""

import json
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import expect

from kgen_exports.app import server, site
from tests.web import labelled_bundle

FAMILIES = ("gan", "vae", "ddpm")
TOUCH = {"is_mobile": True, "has_touch": True}
PHONES = {
    "pixel": {"viewport": {"width": 412, "height": 839}, "device_scale_factor": 2.625, **TOUCH},
    "iphone": {"viewport": {"width": 390, "height": 664}, "device_scale_factor": 3, **TOUCH},
}
"""Windows of a Pixel 7 and an iPhone 14, as Playwright knows them."""
SECONDS = 30_000
"""Milliseconds that a thing may take on a busy machine; idle, all take less than two seconds."""
WITHIN_A_LEVEL = 1
"""Levels of 255: float16 weights in another build of ONNX Runtime round to the neighbour."""


@dataclass
class AppPage:
    """A page of the app.

    Attributes:
        page: Playwright's.
        base: address of the site.
        messages: of the console, and of scripts that failed; a violated policy is one.
        requests: addresses outside of the site.
    """

    page: Any
    base: str
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        expect.set_options(timeout=SECONDS)
        self.page.set_default_timeout(SECONDS)
        self.page.on("console", lambda m: self.messages.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda error: self.messages.append(f"script: {error}"))
        self.page.on("request", self._asked)

    def _asked(self, request) -> None:
        if not request.url.startswith((self.base, "blob:", "data:")):
            self.requests.append(request.url)

    def go(self, place: str) -> "AppPage":
        """Open a place of the app, as a link does: ``#play?model=gan``."""
        self.page.goto(self.base + place)
        return self

    def button(self, name: str, exact: bool = True):
        """Return the button of a name."""
        return self.page.get_by_role("button", name=name, exact=exact)

    def pixels(self, selector: str) -> np.ndarray:
        """Return what a canvas shows: uint8 (height, width, 4)."""
        width, height, data = self.page.locator(selector).first.evaluate(
            """e => {
              const c = e.matches('canvas') ? e : e.querySelector('canvas');
              const copy = new OffscreenCanvas(c.width, c.height)
                .getContext('2d', { willReadFrequently: true });
              copy.drawImage(c, 0, 0);
              return [c.width, c.height, [...copy.getImageData(0, 0, c.width, c.height).data]];
            }"""
        )
        return np.array(data, np.uint8).reshape(height, width, 4)

    def shows(self, selector: str, picture: np.ndarray) -> None:
        """Wait until a canvas shows a picture uint8 (height, width, 1), to a level."""
        difference = None
        for _ in range(100):
            shown = self.pixels(selector)
            if shown.shape[:2] == picture.shape[:2]:
                difference = np.abs(shown[..., :1].astype(int) - picture).max()
                if difference <= WITHIN_A_LEVEL and (shown[..., 3] == 255).all():
                    return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{selector} is {difference} levels away from the picture.")

    def until(self, expression: str) -> None:
        """Wait until an expression is true.

        Playwright's own way evaluates text in the page, which the policy of the app forbids.
        """
        for _ in range(SECONDS // 50):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"This did not come true: {expression}")

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def small_targets(self) -> list[str]:
        """Return what can be touched, is in sight, and is lower or narrower than 44 pixels.

        The pictures of a grid and a strip are left out: they get as small as there are many.
        """
        return self.page.evaluate(
            """() => [...document.querySelectorAll(
                'button:not(.tile), select, input[type=text], input[type=range], nav a, summary, '
                + 'label.tick')]
              .filter(e => e.checkVisibility())
              .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
              .filter(([, r]) => r.height < 43.5 || r.width < 43.5)
              .map(([html, r]) => `${html} ${r.width} x ${r.height}`)"""
        )

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong for people who cannot see or use a mouse."""
        from axe_playwright_python.sync_playwright import Axe

        return [
            f"{found['id']}: {node['html'][:200]}"
            for found in Axe().run(self.page).response["violations"]
            for node in found["nodes"]
        ]

    def change_app(self, **changes) -> None:
        """Serve app.json with other values."""

        def answer(route):
            app = route.fetch().json()
            route.fulfill(json={**app, **changes})

        self.page.route("**/app.json", answer)

    def finish(self) -> None:
        """Check that nothing was said in the console, and nobody else was asked."""
        assert self.messages == []
        assert self.requests == []


def build(folder: Path, exported) -> Path:
    """Build a site with a real model of each family and one that takes a class.

    Its service worker is the one without files: every test is a first visit, and would keep 25 MB.
    The worker itself is tested in test_app_offline.py.
    """
    bundles = [exported(family).path for family in FAMILIES]
    labelled = labelled_bundle.make(folder / "bundles" / "classes")
    built = site.build_site([*bundles, labelled], folder / "site").path
    shutil.copyfile(site.web_sources() / "sw.js", built / "sw.js")
    return built


@contextmanager
def served(folder: Path):
    """Serve a site; the value is its address."""
    with server.open_server(folder) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield server.addresses(running)[0]
        running.shutdown()
        thread.join()


def manifest(site_folder: Path, name: str) -> dict[str, Any]:
    """Return the manifest of a model of a site."""
    return json.loads((site_folder / "models" / name / "kgen.json").read_text(encoding="utf-8"))
