"""Engines in a browser, of a site with real tiny exports."""

import pytest

from kgen_exports.app import site
from kgen_exports.runtime import load
from tests.web.app_page import served
from tests.web.engine.lab import FAMILIES, NAMES, PAGE, Lab


@pytest.fixture(scope="session")
def bundles(exported):
    return {family: load(exported(family).path) for family in FAMILIES}


@pytest.fixture(scope="session")
def built(exported, tmp_path_factory):
    """Build a site of all models in three precisions, and a page that holds nothing."""
    folder = tmp_path_factory.mktemp("runtimes")
    wishes = site.Wishes(precisions=("fp32", "fp16", "int8"))
    made = site.build_site([exported(family).path for family in FAMILIES], folder / "site", wishes)
    assert [model["name"] for model in made.app["models"]] == list(NAMES.values())
    (made.path / "engine.html").write_text(PAGE, encoding="utf-8")
    return made.path


@pytest.fixture(scope="session")
def address(built):
    with served(built) as address:
        yield address


@pytest.fixture(scope="session")
def lab(browser, address):
    """An engine that lives through all tests of this module, as a page that stays open."""
    context = browser.new_context()
    opened = Lab(context.new_page(), address)
    yield opened
    assert opened.messages == []
    assert opened.outside == []
    context.close()


@pytest.fixture
def fresh(browser, address):
    """Return a function that starts an engine of its own, where files may be changed on the way.

    `files` maps the end of a file's address to a function from its bytes to other ones, or to None:
    then there is no such file.
    """
    contexts = []

    def start(files=None, browser=browser, address=address, threads=1):
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        for name, change in (files or {}).items():
            page.route(f"**/{name}", _answering(change))
        return Lab(page, address, threads)

    yield start
    for context in contexts:
        context.close()


def _answering(change):
    """Make a handler of one argument: Playwright hands the request to a second one."""

    def answer(route):
        if change is None:
            route.fulfill(status=404)
        elif change is ConnectionError:
            route.abort("connectionfailed")
        else:
            response = route.fetch()
            # A browser would wait for as many bytes as there were.
            headers = {n: v for n, v in response.headers.items() if n != "content-length"}
            route.fulfill(status=200, headers=headers, body=change(response.body()))

    return answer
