"""What an evaluation found, kept and read again."""

import json

import numpy as np
import pytest

from kgen.errors import KgenError
from kgen.evaluation.record import METRICS, PICTURES, Findings, Record, Value
from tests.core.evaluation import records


@pytest.mark.parametrize("family", ["gan", "vae", "ddpm"])
def test_a_record_comes_back_as_it_was(family, tmp_path):
    kept = records.record(family)
    kept.write(tmp_path / "report")
    found = Record.read(tmp_path / "report")
    assert found.to_mapping() == kept.to_mapping()
    assert (found.target, found.protocol) == (kept.target, kept.protocol)
    assert found.findings.values == kept.findings.values
    assert found.findings.series == kept.findings.series
    assert found.findings.warnings == kept.findings.warnings
    assert found.findings.pictures.keys() == kept.findings.pictures.keys()
    for name, images in kept.findings.pictures.items():
        np.testing.assert_array_equal(found.findings.pictures[name], images)


def test_findings_add_up():
    one = Findings(values={"elbo": Value(value=1.0)}, warnings=("a",))
    two = Findings(values={"iwae": Value(value=2.0)}, warnings=("b",))
    both = one | two
    assert (set(both.values), both.warnings) == ({"elbo", "iwae"}, ("a", "b"))


def test_numbers_that_json_does_not_know_are_not_written(tmp_path):
    broken = records.changed(records.record(), elbo=Value(value=float("nan")))
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.write(tmp_path)


def refused(folder):
    with pytest.raises(KgenError) as caught:
        Record.read(folder)
    return str(caught.value)


def test_a_folder_without_an_evaluation_says_what_one_is(tmp_path):
    assert f"Received: {tmp_path}" in refused(tmp_path)


def test_an_evaluation_without_its_pictures_is_refused(tmp_path):
    records.record().write(tmp_path)
    (tmp_path / PICTURES).unlink()
    assert PICTURES in refused(tmp_path)


def test_an_evaluation_of_another_schema_is_refused(tmp_path):
    records.record().write(tmp_path)
    path = tmp_path / METRICS
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | {"schema": 99}), encoding="utf-8")
    assert "schema=99" in refused(tmp_path)
    assert "update kgen" in refused(tmp_path)


def test_the_key_says_whether_a_folder_answers_a_question(tmp_path):
    assert Record.key_in(tmp_path) is None
    record = records.record()
    record.write(tmp_path)
    assert Record.key_in(tmp_path) == record.key
    path = tmp_path / METRICS
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | {"schema": 1}), encoding="utf-8")
    assert Record.key_in(tmp_path) is None  # it is of an older kgen, and is evaluated again
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(KgenError, match="is not an evaluation"):
        Record.key_in(tmp_path)


def cut(values):
    return {name: value for name, value in values.items() if name != "protocol"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: json.dumps(cut(json.loads(text))),
        lambda text: json.dumps(json.loads(text) | {"target": {"name": "x", "colour": "red"}}),
        lambda text: json.dumps(json.loads(text) | {"values": {"elbo": 3.0}}),
        lambda text: json.dumps(json.loads(text) | {"series": {"latent_kl": {"x": 3}}}),
    ],
    ids=["half", "a list", "no protocol", "a strange target", "a bare number", "a bare x"],
)
def test_a_damaged_file_is_refused_in_words(damage, tmp_path):
    records.record().write(tmp_path)
    path = tmp_path / METRICS
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert "Evaluate again" in refused(tmp_path)


@pytest.mark.parametrize("length", [0, 100])
def test_damaged_pictures_are_refused_in_words(length, tmp_path):
    records.record().write(tmp_path)
    path = tmp_path / PICTURES
    path.write_bytes(path.read_bytes()[:length])
    assert "Evaluate again" in refused(tmp_path)
