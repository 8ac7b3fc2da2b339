"""Without a network: the app is kept at the first visit, replaced whole, and fits into one file."""

import functools
import http.server
import shutil
import threading
from typing import ClassVar

import pytest
from playwright.sync_api import expect

from kgen_exports.app import single, site
from kgen_exports.app.policy import HEADERS, TYPES
from tests.web.app_page import FAMILIES, PHONES, AppPage

pytestmark = pytest.mark.web

RUNTIMES = ("onnxruntime", "litert", "javascript")
NAMES = {"onnxruntime": "ONNX Runtime", "litert": "LiteRT", "javascript": "plain JavaScript"}
LITTLE_ROOM = 2_000_000
"""Bytes of a device that is full: less than the app, more than the browser's own notes."""


@pytest.fixture(scope="session")
def build(exported, tmp_path_factory):
    """Return a function that builds a site as users do: of families, in a way, with a title."""

    def built(families=("gan",), **wishes):
        out = tmp_path_factory.mktemp("offline") / "site"
        bundles = [exported(family).path for family in families]
        return site.build_site(bundles, out, site.Wishes(**wishes)).path

    return built


@pytest.fixture
def host(tmp_path):
    """Serve a folder as a plain host does, without headers of ours; return (folder, address).

    The app lies below the root, as on hosts that have a folder for every project.
    """

    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map: ClassVar = {**http.server.SimpleHTTPRequestHandler.extensions_map, **TYPES}

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path / "some" / "app", f"http://127.0.0.1:{server.server_port}/some/app/"
        server.shutdown()


def kept(app: AppPage) -> None:
    """Wait until the app says that it is kept."""
    app.go("#settings")
    app.page.get_by_text("Ready for offline use").wait_for()


@pytest.mark.parametrize("device", PHONES)
def test_after_one_visit_it_draws_without_a_network(device, build, host, browser):
    folder, address = host
    shutil.copytree(build(FAMILIES), folder)
    context = browser.new_context(**PHONES[device])
    app = AppPage(context.new_page(), address).go("")
    kept(app)
    context.set_offline(True)
    for family in FAMILIES:
        app.page.goto("about:blank")
        app.go(f"#play?model={family}")
        expect(app.page.locator("canvas").first).to_be_visible()
    app.finish()
    context.close()


def test_a_browser_offers_to_install_it(build, host, browser, tmp_path):
    folder, address = host
    shutil.copytree(build(runtimes=("javascript",)), folder)
    # Where nothing is kept between visits, as in ordinary test windows, nothing can be installed.
    context = browser.browser_type.launch_persistent_context(
        str(tmp_path / "profile"),
        executable_path=shutil.which("chromium"), chromium_sandbox=False,
    )  # fmt: skip
    app = AppPage(context.pages[0], address).go("")
    kept(app)
    session = context.new_cdp_session(app.page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    assert found["url"] == f"{address}manifest.webmanifest"
    assert session.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
    context.close()


def test_a_new_version_comes_whole_at_the_next_start(build, host, browser):
    folder, address = host
    shutil.copytree(build(runtimes=("javascript",), title="First"), folder)
    context = browser.new_context()
    app = AppPage(context.new_page(), address).go("")
    kept(app)
    shutil.rmtree(folder)
    shutil.copytree(build(("vae",), runtimes=("javascript",), title="Second"), folder)
    app.go("").page.reload()
    app.page.get_by_text("First").first.wait_for()
    app.until("navigator.serviceWorker.getRegistration().then(r => r.waiting !== null)")
    app.page.close()
    again = AppPage(context.new_page(), address).go("")
    again.page.get_by_text("Second").first.wait_for()
    kept(again)
    context.set_offline(True)
    again.go("#play").page.reload()
    expect(again.page.locator("canvas").first).to_be_visible()
    assert again.page.evaluate("caches.keys().then(names => names.length)") == 1
    again.finish()
    context.close()


def test_a_device_without_room_says_so_and_draws(build, host, browser):
    folder, address = host
    shutil.copytree(build(), folder)
    context = browser.new_context()
    app = AppPage(context.new_page(), address)
    session = context.new_cdp_session(app.page)
    origin = address.removesuffix("/some/app/")
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": LITTLE_ROOM})
    app.go("#settings")
    app.page.get_by_text("There is no room for it").wait_for()
    app.go("#play")
    expect(app.button("Save all as one")).to_be_enabled()
    context.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_one_file_draws_from_a_disk(runtime, build, browser, tmp_path):
    out = tmp_path / "app.html"
    single.pack(build(runtimes=(runtime,), delivery="single"), out)
    context = browser.new_context(offline=True, **PHONES["pixel"])
    app = AppPage(context.new_page(), out.resolve().as_uri()).go("")
    app.page.get_by_text(f"drawn by {NAMES[runtime]}").wait_for()
    expect(app.page.locator("canvas").first).to_be_visible()
    app.go("#proof")
    app.button("Run the proof").click()
    app.page.get_by_text("draws the same pictures here").first.wait_for()
    app.finish()
    context.close()


def test_kgens_own_server_isolates_the_page(app_address, opened):
    app = opened("")
    assert app.page.evaluate("crossOriginIsolated")
    answer = app.page.request.get(app_address)
    assert {k.lower(): answer.headers.get(k.lower()) for k in HEADERS} == {
        k.lower(): v for k, v in HEADERS.items()
    }
