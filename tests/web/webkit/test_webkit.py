"""The app in WebKit, the engine of Safari, as Debian builds it."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kgen_exports.runtime import load
from tests.web.app_page import FAMILIES, WITHIN_A_LEVEL

pytestmark = [
    pytest.mark.webkit,
    # Selenium warns of what its own driver does.
    pytest.mark.filterwarnings(
        "ignore:setting .* is deprecated, set in client_config:DeprecationWarning"
    ),
]

SECONDS = 60
RUNTIMES = ("onnxruntime", "litert", "javascript")
CASES = [(f, r) for f in FAMILIES for r in RUNTIMES if (f, r) != ("ddpm", "javascript")]
NEEDED = {"WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"}
DRAW = """
const [model, runtime, count, done] = arguments;
(async () => {
  const { Engine } = await import('./engine/client.js');
  const app = await (await fetch('app.json')).json();
  window.engine ??= await Engine.start(app);
  const opened = await window.engine.open(model, { runtime });
  const drawn = await opened.draw(7, { count });
  const proof = await opened.prove();
  await opened.close();
  const problems = proof.map((check) => check.problem);
  done({ bytes: drawn.map(({ rgba }) => [...rgba]), problems });
})().catch((error) => done({ failed: String(error) }));
"""


@pytest.fixture(scope="module")
def display():
    """A screen that nobody sees."""
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        pytest.fail(f"These tests need Debian's packages: apt-get install {' '.join(missing)}.")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "500x900x24"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as number:
            yield f":{number.readline().strip()}"
        server.terminate()


@pytest.fixture(scope="module")
def webkit(display):
    """WebKit's own small browser, driven."""
    from selenium import webdriver
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service

    (browser,) = Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser")
    options = Options()
    options.binary_location = str(browser)
    options.add_argument("--automation")
    environment = {
        **os.environ,
        "DISPLAY": display,
        "LIBGL_ALWAYS_SOFTWARE": "1",
        # Its sandbox needs rights that containers lack; the pages here are our own.
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    }
    service = Service(shutil.which("WebKitWebDriver"), env=environment)
    driver = webdriver.WebKitGTK(options=options, service=service)
    driver.set_window_size(412, 839)
    driver.set_script_timeout(SECONDS)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def opened(webkit, app_address):
    webkit.get(app_address)
    return webkit


@pytest.mark.parametrize(("family", "runtime"), CASES)
def test_every_runtime_draws_what_python_draws_and_passes_the_proof(
    family, runtime, opened, exported
):
    found = opened.execute_async_script(DRAW, family, runtime, 2)
    assert "failed" not in found
    assert set(found["problems"]) == {None}
    expected = load(exported(family).path).generate(2, seed=7, precision="fp16")
    shown = np.array(found["bytes"]).reshape(*expected.shape[:3], 4)[..., :1]
    assert np.abs(shown - expected.astype(int)).max() <= WITHIN_A_LEVEL


def test_the_page_draws_and_is_no_wider_than_its_window(webkit, app_address):
    from selenium.webdriver.support.ui import WebDriverWait

    webkit.get(f"{app_address}#play?model=gan&count=4")
    webkit.refresh()
    ready = "return document.querySelectorAll('main canvas').length >= 4"
    WebDriverWait(webkit, SECONDS).until(lambda driver: driver.execute_script(ready))
    wider = "return document.documentElement.scrollWidth - window.innerWidth"
    assert webkit.execute_script(wider) <= 0
