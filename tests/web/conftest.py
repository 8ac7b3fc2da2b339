"""A real browser, the pages that it opens, and what it notices about them."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.exports.real_exports import exported, finished_runs
from tests.web import app_page

__all__ = ["exported", "finished_runs"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "web"
HEIGHT = 900


@dataclass
class Visit:
    """What a browser noticed while it showed a page.

    Attributes:
        page: Playwright's.
        messages: of the console, warnings and errors, and of scripts that failed.
        requests: addresses asked for, without the page itself and what it carries.
    """

    page: object
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def colours(self, selector: str) -> set[str]:
        """Return the colours of the text of elements."""
        return set(
            self.page.evaluate(
                "s => [...document.querySelectorAll(s)].map(e => getComputedStyle(e).color)",
                selector,
            )
        )

    def background(self) -> str:
        """Return the colour of the page."""
        return self.page.evaluate("getComputedStyle(document.body).backgroundColor")

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong for people who cannot see or use a mouse."""
        from axe_playwright_python.sync_playwright import Axe

        return [
            f"{found['id']}: {node['html'][:200]}"
            for found in Axe().run(self.page).response["violations"]
            for node in found["nodes"]
        ]


@pytest.fixture(scope="session")
def launch():
    """Return a function that starts the installed Chromium with some flags."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(
            f"The tests of pages need a browser: one of {', '.join(BROWSERS)} on the PATH. "
            "On Debian: apt-get install chromium."
        )
    # Chromium refuses to start as root with its sandbox, and the pages here are our own.
    sandbox = hasattr(os, "geteuid") and os.geteuid() != 0
    with sync_playwright() as playwright:
        running = []

        def start(*flags: str):
            started = playwright.chromium.launch(
                executable_path=path, chromium_sandbox=sandbox, args=list(flags)
            )
            running.append(started)
            return started

        yield start
        for browser in running:
            browser.close()


@pytest.fixture(scope="session")
def browser(launch):
    """Start Chromium, the one that is installed."""
    return launch()


@pytest.fixture
def visit(browser):
    """Return a function that opens a file in a window of a width, in light or dark."""
    contexts = []

    def opened(path: Path, width: int = 1280, scheme: str = "light") -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        seen = Visit(page=page)
        page.on("console", lambda m: seen.messages.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: seen.messages.append(f"script: {error}"))
        address = path.resolve().as_uri()
        page.on(
            "request",
            lambda r: (
                seen.requests.append(r.url)
                if r.url != address and not r.url.startswith("data:")
                else None
            ),
        )
        page.goto(address)
        # What is folded away must be as good as the rest.
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        return seen

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def app_site(exported, tmp_path_factory):
    """Build a site with a GAN, a VAE, a DDPM and a GAN that takes a class; return its folder."""
    return app_page.build(tmp_path_factory.mktemp("app"), exported)


@pytest.fixture(scope="session")
def app_address(app_site):
    """Serve the site; return its address."""
    with app_page.served(app_site) as address:
        yield address


@pytest.fixture
def opened(app_address, browser, launch):
    """Return a function that opens a place of the app in a window of its own.

    Its options are Playwright's of a context; `device` is one of app_page.PHONES, `script` runs
    before the page's own, `before` gets the page before it opens, `flags` are the browser's. What
    the console says fails the test, unless the test takes it out of the page's messages.
    """
    pages = []

    def opener(place="", *, device=None, script="", flags=(), before=None, **options):
        started = launch(*flags) if flags else browser
        context = started.new_context(**app_page.PHONES.get(device, {}), **options)
        page = app_page.AppPage(context.new_page(), app_address)
        pages.append(page)
        if script:
            page.page.add_init_script(script)
        if before:
            before(page)
        return page.go(place)

    yield opener
    for page in pages:
        page.page.context.close()
    for page in pages:
        page.finish()
