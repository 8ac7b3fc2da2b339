"""The speed of files: what is timed is the files' own work, and the numbers are its times."""

import dataclasses
import time

import numpy as np
import pytest

from kgen.errors import KgenError
from kgen_exports import bench
from kgen_exports.keras_timer import keras_timer
from kgen_exports.runtime.session import open_session
from tests.exports import tiny_bundle


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    kinds = ("gan", "vae", "ddpm")
    return {kind: tiny_bundle.make(tmp_path_factory.mktemp(kind), kind) for kind in kinds}


def test_every_file_is_measured_at_every_number_of_threads(bundles):
    for kind, bundle in bundles.items():
        speeds, skipped = bench.measure(bundle, threads=(1, 2), repeats=3)
        found = [(s.path, s.work, s.threads) for s in speeds]
        expected = [
            (entry.path, work, threads)
            for threads in (1, 2)
            for part, entry in bundle.manifest.files()
            for work in (("call", "loop") if part == "denoiser" else ("call",))
        ]
        assert (found, skipped) == (expected, {}), kind
        sizes = {entry.path: entry.bytes for _, entry in bundle.manifest.files()}
        for speed in speeds:
            assert speed.bytes == sizes[speed.path]
            assert (speed.runtime, speed.runs, speed.batch) == ("onnxruntime", 3, 1)
            assert 0 < speed.q1_ms <= speed.median_ms <= speed.q3_ms
            assert speed.load_ms > 0 < speed.first_ms
            assert speed.images_per_second == pytest.approx(1000 / speed.median_ms)
            assert (speed.keras_ms, speed.ratio) == (None, None)


def test_without_a_number_it_takes_one_thread_and_all_cores(bundles, monkeypatch):
    monkeypatch.setattr(bench, "all_threads", lambda: (1, 3))
    opened = []
    monkeypatch.setattr(
        bench, "open_session",
        lambda *a, threads, **k: opened.append(threads) or open_session(*a, threads=threads, **k),
    )  # fmt: skip
    speeds, _ = bench.measure(bundles["gan"], repeats=1)
    assert [s.threads for s in speeds] == [1] * 6 + [3] * 6
    assert opened[: len(opened) // 2] == [1] * (len(opened) // 2)
    assert opened[len(opened) // 2 :] == [3] * (len(opened) // 2)


def test_the_times_are_those_of_the_file(bundles, monkeypatch):
    # A file that takes 20 ms to open and 10 ms to run is reported as such; a busy machine may add
    # to that and never takes away.
    def slow(*args, **kwargs):
        time.sleep(0.02)
        session = open_session(*args, **kwargs)
        run = session.run

        def late(feeds):
            time.sleep(0.01)
            return run(feeds)

        session.run = late
        return session

    monkeypatch.setattr(bench, "open_session", slow)
    speeds, _ = bench.measure(bundles["ddpm"], threads=(1,), repeats=2)
    for speed in speeds:
        calls = 4 if speed.work == "loop" else 1
        assert speed.load_ms >= 20
        assert speed.first_ms >= 10 * calls
        assert speed.q1_ms >= 10 * calls
        assert speed.images_per_second <= 100 / calls


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_loop_on_the_host_draws_the_golden_pictures(eta, tmp_path):
    bundle = tiny_bundle.make(tmp_path, "ddpm", eta=eta)
    golden = bundle.golden()
    entry = bundle.entry("denoiser")
    loop = bench.job(
        bundle.manifest, golden, "denoiser", bench.LOOP, 3, bundle.session(entry).run
    )  # fmt: skip
    # Four steps in float32 beside float64: the proof allows 1e-4.
    np.testing.assert_allclose(loop(), golden["sampler/out/image"][:3], atol=1e-4)


def test_a_call_has_as_many_pictures_as_the_file_takes(bundles):
    seen = []
    for batch in (1, 8, 20):
        work = bench.job(
            bundles["vae"].manifest, bundles["vae"].golden(), "encoder", bench.CALL, batch,
            lambda feeds: seen.append({name: array.shape for name, array in feeds.items()}),
        )  # fmt: skip
        work()
    assert seen == [{"image": (batch, 16, 16, 1)} for batch in (1, 8, 20)]


def test_fixed_batches_count_in_pictures_per_second(bundles, monkeypatch):
    bundle = bundles["gan"]
    part = bundle.manifest.parts["generator"]
    # The file for any batch, listed as one for four.
    entry = dataclasses.replace(part.files[0], batch=4)
    parts = {"generator": dataclasses.replace(part, files=(entry,))}
    monkeypatch.setattr(bundle, "manifest", dataclasses.replace(bundle.manifest, parts=parts))
    ((speed,), _) = bench.measure(bundle, threads=(1,), repeats=2)
    assert speed.batch == 4
    assert speed.images_per_second == pytest.approx(4000 / speed.median_ms)


def test_runs_are_shared_out_to_the_rounds():
    assert bench.runs_per_round(1e-6, None) == [10] * 5
    # Half a second of runs of 50 ms is 10 of them, of a second each it is still one per round.
    assert bench.runs_per_round(0.05, None) == [2] * 5
    assert bench.runs_per_round(1.0, None) == [1] * 5
    assert bench.runs_per_round(1.0, 7) == [2, 2, 1, 1, 1]
    assert bench.runs_per_round(1.0, 2) == [1, 1]


def test_a_changed_file_is_not_measured(tmp_path):
    bundle = tiny_bundle.make(tmp_path, "gan")
    path = tmp_path / "generator.fp16.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(KgenError, match=r"generator\.fp16\.onnx is not the file that was exported"):
        bench.measure(bundle, threads=(1,), repeats=1)


def test_a_missing_runtime_is_counted_not_hidden(bundles, monkeypatch):
    monkeypatch.setattr(bench, "installed", lambda: ["litert"])
    assert bench.measure(bundles["gan"], threads=(1,), repeats=1) == ([], {"onnxruntime": 6})
    monkeypatch.setattr(bench, "installed", list)
    with pytest.raises(KgenError, match="No runtime is installed"):
        bench.measure(bundles["gan"], threads=(1,), repeats=1)


def test_files_and_keras_are_measured_in_turn(exported, finished_runs):
    """The real thing: each format's files, and the model in Keras in a process beside this one."""
    bundle = bench.Bundle(exported("ddpm").path, exported("ddpm").manifest)
    said = []
    speeds, skipped = bench.measure(
        bundle, threads=(1,), repeats=4, run=finished_runs / "ddpm", say=said.append
    )
    assert skipped == {}
    assert said[0] == "loading the model in Keras, 1 thread"
    assert {s.runtime for s in speeds} == {"onnxruntime", "litert"}
    assert {(s.part, s.work) for s in speeds} == {
        ("denoiser", "call"), ("denoiser", "loop"), ("sampler", "call"),
    }  # fmt: skip
    for speed in speeds:
        assert speed.keras_ms > 0
        assert speed.ratio > 0
    # Keras's loop calls the network once a step; both run on the same machine at the same time.
    by_work = {work: [s.keras_ms for s in speeds if s.work == work] for work in ("call", "loop")}
    assert min(by_work["loop"]) > min(by_work["call"])


def test_a_run_that_keras_cannot_load_is_one_clear_error(bundles, tmp_path):
    with (
        pytest.raises(KgenError, match="A run is a folder"),
        keras_timer(tmp_path, bundles["gan"].path, 1),
    ):
        pass
