"""The report of an export: the numbers that were measured, in a page that needs nothing else."""

import base64
import io
import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from kgen.pictures import to_uint8
from kgen_exports import report
from kgen_exports.export import prove
from kgen_exports.report.record import BINS, gate, reading
from tests.exports import tiny_bundle
from tests.markup import Page

KINDS = ("gan", "vae", "ddpm")


@pytest.fixture(scope="module")
def proven(tmp_path_factory):
    """Bundle and checks of each kind."""
    made = {kind: tiny_bundle.make(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}
    return {kind: (bundle, prove(bundle)[0]) for kind, bundle in made.items()}


def written(folder, bundle, checks, refused=(), manifest=None):
    """Write a report and read it again: what is in report.json, and the page."""
    report.write(folder, manifest or bundle.manifest, checks, bundle.golden(), refused=refused)
    values = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return values, Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_report_json_has_the_numbers_that_were_measured(kind, proven, tmp_path):
    bundle, checks = proven[kind]
    values, _ = written(tmp_path, bundle, checks)
    by_path = {found["path"]: found for found in values["files"]}
    assert (values["schema"], values["passed"], values["refused"]) == (
        "kgen-report-1", len(checks), 0,
    )  # fmt: skip
    assert len(by_path) == len(checks)
    for check in checks:
        found, entry = by_path[check.entry.path], check.entry
        assert found["error"] == entry.error
        assert found["picture"] == entry.picture
        assert (found["bytes"], found["sha256"]) == (entry.bytes, entry.sha256)
        (whole,) = [
            c.entry.bytes for c in checks
            if (c.part, c.entry.batch, c.entry.precision) == (check.part, entry.batch, "fp32")
        ]  # fmt: skip
        assert found["share_of_fp32"] == pytest.approx(entry.bytes / whole)
        assert found["passed"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_names_every_file_with_its_size_and_decibels(kind, proven, tmp_path):
    bundle, checks = proven[kind]
    _, page = written(tmp_path, bundle, checks)
    for check in checks:
        row = page.text.partition(f" {check.entry.path} passed")[2][:120]
        assert f"{check.entry.bytes / 1000:,.0f} kB" in row or (
            f"{check.entry.bytes / 1000:.1f} kB" in row
        )
        worst = min(error["psnr_db"] for error in check.entry.error.values())
        assert f"{worst:.1f}" in row
        if check.entry.picture:
            assert f"{check.entry.picture['psnr_db']:.1f}" in row
    for said in ("tiny, licence: CC0", f"{kind}-tiny", f"All {len(checks)} files do"):
        assert said in page.text


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_whole_in_itself_and_accessible(kind, proven, tmp_path):
    bundle, checks = proven[kind]
    _, page = written(tmp_path, bundle, checks)
    assert (page.open, page.unbalanced) == ([], [])
    tags = {name for name, _ in page.elements}
    assert tags & {"script", "link", "iframe", "object", "embed", "form"} == set()
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
        assert not [name for name in attributes if name.startswith("on")]
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    # What a drawing refers to is in it.
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', source)) <= set(names)
    assert page.all("html") == [{"lang": "en"}]
    assert [len(page.all(tag)) for tag in ("h1", "title", "main")] == [1, 1, 1]
    assert all(image["alt"] for image in page.all("img"))
    assert all(drawing["aria-label"] for drawing in page.all("svg"))
    assert all("scope" in heading for heading in page.all("th"))
    # A table that is wider than a phone scrolls in its own box, by keyboard too.
    boxes = [a for a in page.all("div") if a.get("class") == "scroll"]
    assert len(boxes) == len(page.all("table")) + len(page.all("svg"))
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


def test_what_comes_from_a_run_is_never_markup(proven, tmp_path):
    bundle, checks = proven["gan"]
    evil = '<script>alert("1")</script>'
    manifest = replace(
        bundle.manifest,
        training={**bundle.manifest.training, "run": evil, "backend": evil},
        data={"name": evil, "licence": f"' {evil}", "note": evil},
    )
    bad = replace(checks[0], entry=replace(checks[0].entry, path=f"{evil.replace('/', '')}.onnx"))
    refused = [replace(bad, problem=evil), *checks[1:]]
    _, page = written(tmp_path, bundle, [], refused, manifest)
    assert page.all("script") == []
    assert page.text.count(evil) >= 5
    assert (page.open, page.unbalanced) == ([], [])


def test_a_refused_file_is_named_with_the_reason(proven, tmp_path):
    bundle, checks = proven["gan"]
    found = replace(checks[2], problem="image: 28.4 dB, at least 30 dB are asked for")
    passed = [check for check in checks if check is not checks[2]]
    values, page = written(tmp_path, bundle, passed, [found])
    assert (values["passed"], values["refused"]) == (5, 1)
    assert values["verdict"].startswith("5 of 6 files do what the model does in Keras;")
    assert values["verdict"].endswith(f"because they do not: {found.entry.path}.")
    (line,) = [file for file in values["files"] if not file["passed"]]
    assert (line["path"], line["problem"]) == (found.entry.path, found.problem)
    assert f"{found.entry.path} refused" in page.text
    assert f"{found.entry.path} : {found.problem}" in page.text


def test_a_file_that_could_not_be_compared_has_no_numbers(proven, tmp_path):
    bundle, checks = proven["gan"]
    blank = replace(
        checks[2], entry=replace(checks[2].entry, error={}, picture=None), drawn=None,
        problem="inputs are z, in this order. Received: x", deviations=np.zeros(0),
    )  # fmt: skip
    values, page = written(tmp_path, bundle, [], [blank])
    (line,) = values["files"]
    assert line["error"] == {}
    assert (line["picture"], line["reading"], line["deviation"]["max"]) == (None, None, None)
    assert sum(line["histogram"]) == 0
    assert page.all("img") == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_pictures_are_those_of_keras_and_of_the_file(kind, proven, tmp_path):
    bundle, checks = proven[kind]
    _, page = written(tmp_path, bundle, checks)
    low, high = bundle.manifest.image["range"]
    name = {"gan": "generator", "vae": "decoder", "ddpm": "sampler"}[kind]
    keras = bundle.golden()[f"{name}/out/image"]
    drawing = [check for check in checks if check.part != "encoder"]
    assert len(page.all("img")) == len(drawing)
    files = {check.entry.path: check.drawn for check in drawing}
    for image in page.all("img"):
        (path,) = [path for path in files if f" {path} " in image["alt"]]
        content = base64.b64decode(image["src"].partition(",")[2])
        pixels = np.asarray(Image.open(io.BytesIO(content)))
        # 8 pictures of 16 pixels in 3 rows, with a line between all of them.
        assert pixels.shape == (3 * 17 + 1, 8 * 17 + 1)
        rows = [keras, files[path], (low + high) / 2 + 10 * (files[path] - keras)]
        for row, floats in enumerate(rows):
            for column, picture in enumerate(to_uint8(floats, low, high)[..., 0]):
                top, left = 17 * row + 1, 17 * column + 1
                shown = pixels[top : top + 16, left : left + 16]
                np.testing.assert_array_equal(shown, picture)


def test_the_histogram_counts_every_difference(proven, tmp_path):
    bundle, checks = proven["gan"]
    values, _ = written(tmp_path, bundle, checks)
    drawn = {c.entry.path: c.drawn for c in checks}
    reference = bundle.golden()["generator/out/image"]
    for line in values["files"]:
        shares = np.abs(drawn[line["path"]].astype(float) - reference).ravel() / 2
        # The page rounds a share to six digits; differences that lie on an edge may count on
        # either side of it: one of 2048 is 5e-4.
        for place, (low, high) in enumerate(pairwise(BINS[1:]), start=1):
            inside = np.mean((shares >= 10**low) & (shares < 10**high))
            assert line["histogram"][place] == pytest.approx(inside, abs=1e-3)
        assert sum(line["histogram"]) == pytest.approx(1, abs=1e-4)
        assert line["deviation"]["max"] == pytest.approx(shares.max(), rel=1e-6)


def test_decibels_in_words_are_grey_levels():
    # An error of d dB is 255 / 10^(d / 20) grey levels.
    for levels, words in (
        (0.28, "less than what rounding"), (0.95, "less than one grey level"),
        (2.4, "one to three"), (4.9, "up to five"), (7.9, "five to eight"), (20, "more than eight"),
    ):  # fmt: skip
        assert words in reading(20 * np.log10(255 / levels))
    # Rounding to bytes: the standard deviation of a uniform error of one level, 1 / sqrt(12).
    assert "rounding" not in reading(20 * np.log10(255 * np.sqrt(12)) - 0.1)
    assert "rounding" in reading(20 * np.log10(255 * np.sqrt(12)) + 0.1)


def test_every_gate_says_its_limit_and_its_origin(proven, tmp_path):
    bundle, checks = proven["vae"]
    values, page = written(tmp_path, bundle, checks)
    assert set(values["gates"]) == {"fp32", "fp16", "int8"}
    assert values["gates"]["fp32"]["at_most_share_of_range"] == 5e-5
    assert (values["gates"]["fp16"]["at_least"], values["gates"]["int8"]["at_least"]) == (50, 30)
    for precision, limit in values["gates"].items():
        assert limit == gate(precision)
        assert limit["text"] in page.text
        assert limit["origin"] in page.text


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_sampler_is_summed_up_with_its_steps(eta, tmp_path):
    bundle = tiny_bundle.make(tmp_path / "bundle", "ddpm", eta=eta)
    values, page = written(tmp_path, bundle, prove(bundle)[0])
    table = bundle.manifest.sampler
    assert values["sampler"]["timesteps"] == list(table.timesteps)
    noise = "fresh noise at every step" if eta else "no noise on the way"
    assert f"dpmpp, eta {eta:g}, 4 of 10 timesteps, {noise}; the denoiser predicts v." in page.text
    for i, row in enumerate(table.coefficients()):
        numbers = " ".join(f"{value:.6g}" for value in row)
        assert f"{i} {table.timesteps[i]} {numbers}" in page.text
