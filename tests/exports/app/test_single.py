"""One file holds the whole app, and lets nothing else in."""

import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser

import pytest

from kgen.errors import KgenError
from kgen_exports.app import single
from kgen_exports.app.modules import linked
from kgen_exports.app.site import Wishes, build_site
from kgen_exports.staging import check_free_file
from tests.exports.app.conftest import KINDS, contents


class Reader(HTMLParser):
    """Notes every element with its attributes and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.elements[-1][2] += data


@pytest.fixture
def site(bundles, tmp_path):
    """Build a site of all three bundles for one file."""
    wishes = Wishes(delivery="single")
    return build_site([bundles / kind for kind in KINDS], tmp_path / "site", wishes).path


@pytest.fixture
def page(site, tmp_path):
    """Pack it and take the page apart."""
    single.pack(site, tmp_path / "app.html")
    return Reader((tmp_path / "app.html").read_text(encoding="utf-8")).elements


def embedded(page):
    """Return (attributes, bytes) of every embedded file, in order."""
    return [
        (attributes, gzip.decompress(base64.b64decode(text)))
        for tag, attributes, text in page
        if tag == "script" and "data-path" in attributes
    ]


def test_every_file_is_in_it_but_what_the_page_itself_holds(page, site):
    there = contents(site)
    found = {a["data-path"]: content for a, content in embedded(page)}
    left_out = {"index.html", "style.css", "manifest.webmanifest"}
    left_out |= {name for name in there if name.startswith("icons/")}
    assert set(found) == set(there) - left_out
    changed = {name for name in found if found[name] != there[name]}
    # What imports another module names it by a token; all else is as it was.
    assert all(b"%kgen:" in found[name] for name in changed)
    assert all(name.endswith(".js") for name in changed)
    assert {"app.js", "worker.js"} <= changed


def test_imports_become_tokens_of_what_came_before(page):
    seen = set()
    for attributes, content in embedded(page):
        names = re.findall(r"%kgen:([^%]+)%", content.decode("utf-8", "replace"))
        assert set(names) <= seen, attributes["data-path"]
        assert bool(names) <= ("data-module" in attributes)
        seen.add(attributes["data-path"])


def test_the_policy_allows_its_own_script_and_style_and_addresses_in_memory(page):
    (policy,) = [
        a["content"] for _, a, _ in page if a.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    (script,) = [t for tag, a, t in page if tag == "script" and "data-path" not in a]
    (style,) = [t for tag, _, t in page if tag == "style"]

    def sha(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "script-src": f"{sha(script)} blob: 'wasm-unsafe-eval'",
        "style-src": sha(style),
        "img-src": "blob: data:",
        "connect-src": "blob:",
        "worker-src": "blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_outside_of_the_file_is_named(page):
    addresses = [a[n] for _, a, _ in page for n in ("src", "href") if n in a]
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)


def test_the_same_site_makes_the_same_file(site, tmp_path):
    single.pack(site, tmp_path / "a.html")
    single.pack(site, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("style", ["a { background: url(x.png) }", '@import "x.css";'])
def test_a_style_that_needs_other_files_is_refused(site, tmp_path, style):
    (site / "style.css").write_text(style)
    with pytest.raises(ValueError, match="names other files"):
        single.pack(site, tmp_path / "app.html")
    assert not (tmp_path / "app.html").exists()


def test_a_file_is_written_over_only_by_force(tmp_path):
    path = tmp_path / "app.html"
    check_free_file(path, False, ".html")
    path.write_text("mine")
    check_free_file(path, True, ".html")
    with pytest.raises(KgenError, match="is there already"):
        check_free_file(path, False, ".html")


@pytest.mark.parametrize("name", ["app", "app.txt", "folder.html"])
def test_other_places_for_the_file_are_refused(tmp_path, name):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(KgenError, match="--out"):
        check_free_file(tmp_path / name, True, ".html")


# Imports.


def test_modules_come_after_what_they_import():
    modules = {
        "app.js": "import { a } from './view/a.js';\nimport('./lazy.js');\n",
        "lazy.js": 'export * from "./view/../base.js";\n',
        "view/a.js": "import '../base.js';\n",
        "base.js": "export const x = 1;\n",
    }
    found = linked(modules)
    assert list(found) == ["base.js", "view/a.js", "lazy.js", "app.js"]
    assert found["app.js"] == "import { a } from '%kgen:view/a.js%';\nimport('%kgen:lazy.js%');\n"
    assert found["lazy.js"] == 'export * from "%kgen:base.js%";\n'
    assert found["view/a.js"] == "import '%kgen:base.js%';\n"


def test_types_in_comments_are_no_imports():
    text = "/** @type {import('./b.js').B} */\n * @param {import('./b.js').B} b\n// from './b.js'\n"
    assert linked({"a.js": text, "b.js": "import './a.js';\n"})["a.js"] == text


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"a\.js imports b\.js"):
        linked({"a.js": "import './b.js';"})


def test_a_circle_of_imports_is_named():
    with pytest.raises(ValueError, match=r"a\.js -> b\.js -> a\.js"):
        linked({"a.js": "import './b.js';", "b.js": "import './a.js';"})
