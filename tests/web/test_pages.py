"""The pages for people in a real browser: light and dark, on a phone and on a desk, offline."""

from dataclasses import replace

import pytest

from kgen.evaluation.record import Value
from kgen.evaluation.report.compare import Comparison
from kgen.evaluation.report.compare_page import page as comparison_page
from kgen.evaluation.report.page import page as evaluation_page
from kgen_exports import report
from kgen_exports.export import prove
from tests.core.evaluation import records
from tests.exports import tiny_bundle
from tests.web.conftest import SCREENSHOTS

pytestmark = pytest.mark.web

WIDTHS = (320, 390, 1280)
"""Pixels: the narrowest phone there is, a usual one, a desk."""
NAMES = (
    "export-gan", "export-vae", "export-ddpm", "evaluation-gan", "evaluation-vae",
    "evaluation-ddpm", "comparison", "hostile",
)  # fmt: skip
HOSTILE = "a-name-without-a-single-space-" * 6 + "<script>alert(1)</script>"


def compared():
    first = records.record("gan", name="short")
    second = records.changed(
        records.record("gan", name="long", seed=100),
        frechet_distance=Value(value=12.4, sd=0.2, floor=0.09, bar=74.2),
        recall=Value(value=0.411, sd=0.006, floor=0.911, bar=0.152),
    )
    third = replace(records.record("vae"), protocol=first.protocol)
    return Comparison.of([first, second, third])


def hostile():
    record = records.record("gan")
    findings = replace(record.findings, warnings=(HOSTILE,))
    counts = replace(findings.series["class_counts"], x=(HOSTILE,) * 10)
    findings = replace(findings, series={"class_counts": counts})
    target = replace(record.target, name=HOSTILE)
    return replace(record, target=target, findings=findings, environment={HOSTILE: HOSTILE})


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Write every page once; return where, by name."""
    folder = tmp_path_factory.mktemp("pages")
    written = {}
    for kind in ("gan", "vae", "ddpm"):
        bundle = tiny_bundle.make(folder / kind, kind)
        report.write(folder / kind, bundle.manifest, prove(bundle)[0], bundle.golden())
        written[f"export-{kind}"] = folder / kind / "report.html"
        written[f"evaluation-{kind}"] = folder / f"evaluation-{kind}.html"
        source = evaluation_page(records.record(kind))
        written[f"evaluation-{kind}"].write_text(source, encoding="utf-8")
    for name, source in (
        ("comparison", comparison_page(compared())),
        ("hostile", evaluation_page(hostile())),
    ):
        written[name] = folder / f"{name}.html"
        written[name].write_text(source, encoding="utf-8")
    return written


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_good_in_a_browser(name, width, scheme, pages, visit):
    seen = visit(pages[name], width, scheme)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    seen.page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
    assert seen.overflow() == 0
    assert seen.violations() == []
    # The console last: what axe-core runs in the page may be refused by it too.
    assert seen.messages == []
    assert seen.requests == []


@pytest.mark.parametrize("name", ["export-gan", "evaluation-ddpm", "comparison"])
def test_a_page_follows_the_theme_with_its_drawings(name, pages, visit):
    light, dark = (visit(pages[name], scheme=scheme) for scheme in ("light", "dark"))
    assert light.background() == "rgb(255, 255, 255)"
    assert dark.background() != light.background()
    assert light.colours("svg").isdisjoint(dark.colours("svg"))
    assert light.colours("svg") == light.colours("body")
    assert dark.colours("svg") == dark.colours("body")


@pytest.mark.parametrize("name", ["export-gan", "evaluation-gan", "comparison"])
def test_every_picture_is_there(name, pages, visit):
    widths = visit(pages[name]).page.evaluate(
        "[...document.images].map(i => i.complete ? i.naturalWidth : 0)"
    )
    assert widths
    assert min(widths) > 0


@pytest.mark.parametrize("name", ["export-ddpm", "evaluation-gan", "comparison"])
def test_what_is_wider_than_a_phone_scrolls_by_keyboard(name, pages, visit):
    page = visit(pages[name], 320).page
    wide = page.evaluate_handle(
        "[...document.querySelectorAll('.scroll')].find(b => b.scrollWidth > b.clientWidth)"
    ).as_element()
    wide.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("b => b.scrollLeft > 0", arg=wide)


def test_the_links_of_an_evaluation_lead_to_its_sections(pages, visit):
    page = visit(pages["evaluation-gan"], 390).page
    page.get_by_role("navigation").get_by_role("link", name="Number by number").click()
    assert page.evaluate("document.querySelector('#readings').getBoundingClientRect().top") < 900
    page.get_by_role("link", name="coverage").click()
    assert page.url.endswith("#value-coverage")


FAULTS = {
    "wide": ('<div style="width:2000px">x</div>', lambda v: v.overflow() > 0),
    "unreadable": (
        '<p style="color:#ccc;background:#fff">pale</p><img src="data:,">',
        lambda v: {"color-contrast", "image-alt"} <= {s.partition(":")[0] for s in v.violations()},
    ),
    "network": ('<img src="http://localhost:9/x.png" alt="x">', lambda v: v.requests),
    "script": ("<script>console.error('x'); nothing()</script>", lambda v: len(v.messages) >= 2),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_browser_notices_a_page_with_a(fault, tmp_path, visit):
    markup, noticed = FAULTS[fault]
    path = tmp_path / "page.html"
    head = '<!doctype html><html lang="en"><head><title>x</title></head><body><main><h1>x</h1>'
    path.write_text(f"{head}{markup}</main></body></html>", encoding="utf-8")
    assert noticed(visit(path))
