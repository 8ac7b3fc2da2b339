"""An evaluation as a page: every number with what one needs to trust it."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kgen.errors import KgenError
from kgen.evaluation.record import Findings, Series, Value
from kgen.evaluation.report import catalogue
from kgen.evaluation.report.album import paired
from kgen.evaluation.report.curve import drawing
from kgen.evaluation.report.page import page
from kgen.evaluation.report.verdict import placed, verdict, written
from tests.core.evaluation import records
from tests.markup import Page

EVIL = """<script>alert("1")</script>&'"""
FAMILIES = ("gan", "vae", "ddpm")


def plain(words):
    return words.replace("\xa0", " ")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_is_whole_in_itself_and_accessible(family):
    assert Page(page(records.record(family))).problems() == []


@pytest.mark.parametrize("family", FAMILIES)
def test_every_number_stands_beside_its_floor_and_its_bar(family):
    record = records.record(family)
    shown = Page(page(record)).text
    for name, value in record.findings.values.items():
        entry = catalogue.value(name, "lenet64-v1")
        row = shown.partition(f" {entry.label} {plain(written(entry, value))} ")
        assert row[1], name
        cells = [
            "-" if number is None else entry.write(number)
            for number in (value.floor, value.bar, value.bias)
        ]
        assert row[2].startswith(plain(" ".join([*cells, entry.direction]))), name
        for sentence in (entry.reading, entry.caveat, entry.source):
            assert sentence in shown


def test_warnings_come_before_the_numbers():
    record = records.record("gan")
    shown = Page(page(record)).text
    places = [shown.index(warning) for warning in record.findings.warnings]
    assert len(places) == 2
    assert max(places) < shown.index("Beside each number")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_drawing_and_set_of_pictures_is_there_under_its_heading(family):
    record = records.record(family)
    shown = Page(page(record))
    ids = {a["id"] for a in shown.all("h2") if "id" in a}
    assert ids >= record.findings.series.keys() | record.findings.pictures.keys()
    assert len(shown.all("img")) == len(record.findings.pictures)


def test_the_grid_shows_the_samples_to_the_pixel():
    record = records.record("gan")
    (shown,) = [a for a in Page(page(record)).all("img") if "64 generated" in a["alt"]]
    with Image.open(io.BytesIO(base64.b64decode(shown["src"].partition(",")[2]))) as image:
        pixels = np.asarray(image)
    # One white pixel between pictures of 28.
    np.testing.assert_array_equal(
        pixels[1:29, 30:58], record.findings.pictures["samples"][1, ..., 0]
    )


def test_pairs_stand_one_above_the_other():
    numbers = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    rows = paired(numbers, 3).ravel().reshape(-1, 3).tolist()
    assert rows == [[0, 2, 4], [1, 3, 5], [6, 8, 255], [7, 9, 255]]


def test_what_comes_from_a_run_is_never_markup():
    record = records.record("gan")
    found = record.findings
    counts = replace(found.series["class_counts"], x=(EVIL,) * 10, x_label=EVIL)
    curve = replace(found.series["reliability"], y_label=EVIL, lines={EVIL: (0.5,) * 10})
    record = replace(
        record,
        target=replace(record.target, name=EVIL, sampler=EVIL),
        protocol=replace(record.protocol, data=EVIL, extractor=EVIL, extractor_sha256=EVIL),
        findings=replace(
            found, warnings=(EVIL,), series={"class_counts": counts, "reliability": curve}
        ),
        environment={EVIL: EVIL},
    )
    shown = Page(page(record))
    assert shown.all("script") == []
    assert shown.problems() == []
    assert shown.text.count(EVIL) > 15


def test_names_that_matplotlib_could_not_write_are_written():
    # A missing letter would be a warning, and tests turn warnings into errors.
    record = records.record("gan")
    curve = replace(record.findings.series["reliability"], lines={"衣服 $x_": (0.5,) * 10})
    shown = Page(page(replace(record, findings=Findings(series={"reliability": curve}))))
    assert "衣服 $x_" in shown.text


def test_a_record_without_anything_is_still_a_page():
    shown = Page(page(replace(records.record(), findings=Findings())))
    assert shown.problems() == []
    assert "Nothing was measured" in shown.text


def test_a_number_that_this_kgen_does_not_know_is_refused_in_words():
    with pytest.raises(KgenError, match="sharpness"):
        page(records.changed(records.record(), sharpness=Value(value=1.0)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Value(value=20.0, sd=0.2, floor=0.0, bar=80.0), "75\xa0% of the way"),
        (Value(value=80.0, sd=0.2, floor=0.1, bar=74.0), "no better than the Gaussian generator"),
        (Value(value=0.4, sd=0.1, floor=0.1, bar=74.0), "cannot be told from real pictures"),
        (Value(value=20.0), "FD-lenet64-v1 is 20.00."),
    ],
)
def test_the_verdict_places_the_distance_between_real_and_gaussian(value, said):
    record = replace(records.record(), findings=Findings(values={"frechet_distance": value}))
    assert said in verdict(record)[0]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("coverage", Value(value=0.5, floor=0.9, bar=0.1), "50\xa0% of the way"),
        ("coverage", Value(value=0.05, floor=0.9, bar=0.1), "Worse than the Gaussian generator"),
        ("precision", Value(value=0.95, floor=0.9, bar=0.1), "not better than real"),
        ("precision", Value(value=0.95, floor=0.9, bar=0.9), "Better than the Gaussian"),
        ("eps_mse", Value(value=0.2, bar=0.1), "No better than the best linear denoiser (0.1000)"),
        ("elbo", Value(value=600.0, bar=370.3), "Better than probabilistic PCA (370.3)"),
        ("density", Value(value=1.1, bar=0.5), "Better than the Gaussian generator"),
        ("precision", Value(value=0.95, floor=0.9), ""),
    ],
)
def test_a_number_is_placed_whichever_way_is_better(name, value, said):
    found = placed(catalogue.value(name, "x"), value)
    assert said in found if said else found == ""


def test_the_verdict_tells_a_copier():
    honest = records.record("gan")
    copier = records.changed(honest, copies=Value(value=0.4))
    assert any("Nothing hints" in s for s in verdict(honest))
    assert any("40.0\xa0%" in s and "closest pairs" in s for s in verdict(copier))


@pytest.mark.parametrize(
    ("value", "said"), [(0.01, "50\xa0% of the error of PCA"), (0.03, "no better than PCA")]
)
def test_the_verdict_compares_a_reconstruction_with_pca(value, said):
    numbers = {"reconstruction_mse": Value(value=value, bar=0.02)}
    record = replace(records.record("vae"), findings=Findings(values=numbers))
    assert said in verdict(record)[0]


def test_a_logarithm_of_what_is_not_positive_is_drawn_on_a_plain_axis():
    # Matplotlib would warn, and tests turn warnings into errors.
    series = Series(
        x=(0.0, 1.0), x_label="t", y_label="y", lines={"a": (0.0, 1.0)}, log_x=True, log_y=True
    )
    assert "<svg" in drawing("one", "One", series)


def test_many_numbers_are_thinned_in_the_table_and_not_in_the_drawing():
    xs = tuple(float(i) for i in range(1000))
    made = drawing("one", "One", Series(x=xs, x_label="t", y_label="y", lines={"a": xs}))
    assert made.count('<th scope="row">') == 100
    assert "Every 10th" in made


def test_bars_are_as_long_as_their_numbers():
    series = Series(x=("a", "b"), x_label="x", y_label="y", lines={"m": (5.0, 20.0)})
    made = drawing("one", "One", series)
    assert ["width:25.0%" in made, "width:100.0%" in made] == [True, True]
    assert "<svg" not in made
