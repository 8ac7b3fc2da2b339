"""`kgen bench`: a table, JSON, and a comparison with Keras where the run is here."""

import json

import pytest

from kgen.families import FAMILIES
from tests.exports import tiny_bundle

HEAD = ["file", "work", "threads", "size", "load", "first", "run", "median", "quartiles",
        "images/s", "x", "Keras"]  # fmt: skip


@pytest.fixture
def bundle(tmp_path):
    return tiny_bundle.make(tmp_path / "b", "ddpm").path


def test_the_table_has_a_whole_line_for_every_file_and_work(kgen, bundle, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = kgen("bench", bundle, "--threads", "1", "--repeats", "2")
    assert result.exit_code == 0, result.output
    head, *rows = (line.split() for line in result.stdout.splitlines())
    assert head == HEAD
    assert [row[:2] for row in rows] == [
        *([f"denoiser{kind}.onnx", work] for kind in ("", ".fp16", ".b1", ".fp16.b1")
          for work in ("call", "loop")),
        *([f"sampler{kind}.onnx", "call"] for kind in ("", ".fp16", ".b1", ".fp16.b1")),
    ]  # fmt: skip
    assert rows[1][1:6] == ["loop", "of", "4", "calls", "1"]
    assert {row[-1] for row in rows} == {"-"}


def test_without_the_run_a_note_says_why_there_is_no_ratio(kgen, bundle):
    result = kgen("bench", bundle, "--threads", "1", "--repeats", "1")
    assert result.stderr.splitlines()[-1] == (
        "Note: No ratio to Keras: the run ddpm-tiny is not under runs/. Name its folder with --run."
    )


def test_json_has_all_that_was_measured(kgen, bundle, tmp_path):
    result = kgen("bench", bundle, "--threads", "2", "--repeats", "3", "--json", "-")
    values = json.loads(result.stdout)
    assert (values["schema"], values["kind"], values["steps"]) == ("kgen-bench-1", "ddpm", 4)
    assert values["keras_run"] is None
    assert len(values["files"]) == 12
    for speed in values["files"]:
        assert (speed["threads"], speed["runs"], speed["ratio"]) == (2, 3, None)
        assert speed["q1_ms"] <= speed["median_ms"] <= speed["q3_ms"]
    written = tmp_path / "speed.json"
    shown = kgen("bench", bundle, "--threads", "1", "--repeats", "1", "--json", written)
    assert shown.stdout.split()[:2] == ["file", "work"]
    assert json.loads(written.read_text()).keys() == values.keys()


@pytest.fixture
def asked(monkeypatch):
    """Replace the measurement, and return what it was asked for."""
    calls = []

    def measure(bundle, **options):
        calls.append(options)
        return [], {"litert": 3}

    monkeypatch.setattr("kgen_exports.bench.measure", measure)
    return calls


def finished(make_run, name, family="ddpm"):
    run = make_run(name, family)
    run.model_file.write_bytes(b"weights")
    return run


def test_the_run_is_found_by_the_name_that_the_bundle_has(kgen, bundle, asked, make_run):
    run = finished(make_run, "ddpm-tiny")
    result = kgen("bench", bundle)
    assert asked == [{**asked[0], "run": run.path, "threads": (), "repeats": None}]
    assert result.stderr == "Note: 3 files were not measured: litert is not installed.\n"


def test_a_bundle_inside_its_run_needs_no_name(kgen, asked, make_run):
    run = finished(make_run, "ddpm-tiny")
    moved = run.path.rename("ddpm-tiny")
    tiny_bundle.make(moved / "export", "ddpm")
    kgen("bench", "ddpm-tiny")
    assert asked[0]["run"].resolve() == moved.resolve()


def test_a_run_that_was_named_is_taken(kgen, bundle, asked, make_run):
    run = finished(make_run, "another")
    kgen("bench", bundle, "--run", run.path)
    assert asked[0]["run"] == run.path


def test_a_run_that_does_not_fit_is_an_error_when_named_and_a_note_when_not(
    kgen, fails, bundle, asked, make_run
):
    other = finished(make_run, "ddpm-tiny", "gan")
    message = fails("bench", bundle, "--run", other.path, status=1)
    assert message == (
        f"--run takes the run that was exported, ddpm-tiny. Received: {other.path}, a gan, for a "
        "bundle of a ddpm."
    )
    unfinished = make_run("begun", "ddpm")
    assert "is not finished" in fails("bench", bundle, "--run", unfinished.path, status=1)
    assert "No ratio to Keras: " in kgen("bench", bundle).stderr
    assert [call["run"] for call in asked] == [None]


def test_what_is_no_bundle_or_changed_is_one_line(fails, bundle, tmp_path):
    message = fails("bench", tmp_path, status=1)
    assert message.startswith("A bundle is a folder with a kgen.json")
    assert all(family in message for family in FAMILIES)
    (bundle / "sampler.onnx").write_bytes(b"")
    assert "sampler.onnx is not the file that was exported" in fails("bench", bundle, status=1)
    assert "--threads" in fails("bench", bundle, "--threads", "0", status=2)
